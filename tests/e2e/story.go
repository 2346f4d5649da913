// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// say announces the next step; in bold on a terminal, but not in a log.
func say(format string, args ...any) {
	bold, plain := "", ""
	if _, err := unix.IoctlGetWinsize(int(os.Stdout.Fd()), unix.TIOCGWINSZ); err == nil {
		bold, plain = "\033[1m", "\033[0m"
	}
	fmt.Printf(bold+"# "+format+plain+"\n", args...)
}

// story runs the stack through its life, in the order that an operator would see.
func story(ctx context.Context, s *stack) error {
	steps := []func(context.Context, *stack) error{
		makeDatabase, firstStart, confined, growAndShrink, secondStart,
	}
	for _, step := range steps {
		if err := errors.Join(ctx.Err(), step(ctx, s)); err != nil {
			return err
		}
	}
	return nil
}

// makeDatabase fills the empty volume, once.
func makeDatabase(ctx context.Context, s *stack) error {
	say("An empty volume becomes a data base")
	init := s.db("db-init", "sh", "-c", `initdb --auth-local=peer --auth-host=scram-sha-256 --encoding=UTF8 &&
		echo "host orders orders 10.89.0.0/24 scram-sha-256" >>`+dataDirectory+`/pg_hba.conf`)
	init.env = append(init.env, "PGDATA="+dataDirectory)
	if err := s.start(init); err != nil {
		return err
	}
	status, err := s.wait(init)
	if err != nil {
		return err
	}
	if status != 0 {
		said, _ := os.ReadFile(s.log(init))
		return fmt.Errorf("initdb: status %d: %s", status.ExitStatus(), said)
	}
	if err := s.remove(init); err != nil {
		return err
	}
	db := s.postgres()
	if err := s.startDatabase(ctx, db); err != nil {
		return err
	}
	for _, c := range []struct{ database, statement string }{
		{"postgres", "CREATE ROLE orders LOGIN PASSWORD '" + password + "'"},
		{"postgres", "CREATE DATABASE orders OWNER orders"},
		{"orders", "SET ROLE orders; CREATE TABLE orders (id text PRIMARY KEY, application text NOT NULL)"},
	} {
		if _, err := s.psql(c.database, c.statement); err != nil {
			return err
		}
	}
	return s.stop(db, "INT")
}

// firstStart starts all tiers, and counts the rows that result from orders.
func firstStart(ctx context.Context, s *stack) error {
	say("Three tiers: %s, two applications, %s", "nginx", "PostgreSQL")
	if err := s.startAll(ctx); err != nil {
		return err
	}
	listing, err := s.berth("list")
	if err != nil {
		return err
	}
	fmt.Println(listing)
	t := newTraffic(ctx, "http://"+webAddress+"/orders")
	answers, err := t.next(ctx, 100)
	kept, lost := t.end()
	if err := errors.Join(append(lost, err)...); err != nil {
		return err
	}
	fmt.Println("orders answered:", answers)
	if answers["app1"] == 0 || answers["app2"] == 0 {
		return errors.New("nginx did not balance")
	}
	if err := get("http://[" + s.web().address6() + "]/health"); err != nil {
		return err
	}
	return s.expectRows(kept)
}

// expectRows compares the database with the answers that visitors have got.
func (s *stack) expectRows(kept int) error {
	rows, err := s.psql("orders", "SELECT application, count(*) FROM orders GROUP BY 1 ORDER BY 1")
	if err != nil {
		return err
	}
	fmt.Printf("rows in PostgreSQL: %s (orders kept: %d)\n", strings.ReplaceAll(rows, "\n", ", "), kept)
	count, err := s.psql("orders", "SELECT count(*) FROM orders")
	if err != nil {
		return err
	}
	if count != fmt.Sprint(kept) {
		return fmt.Errorf("%s rows of %d orders", count, kept)
	}
	_, err = s.psql("orders", "TRUNCATE orders")
	return err
}

// confined checks the restrictions of the containers: no process is root or has a capability, a
// filter is loaded, the root file system is read-only, and limits are set.
func confined(_ context.Context, s *stack) error {
	say("Who they are, and what they may do")
	for _, svc := range s.running {
		status, err := s.berth("exec", svc.name, "cat", "/proc/self/status")
		if err != nil {
			return err
		}
		shown := []string{svc.name}
		for line := range strings.Lines(status) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			value = strings.TrimSpace(value)
			var wrong bool
			switch key {
			case "Uid":
				wrong = strings.HasPrefix(value, "0\t")
			case "CapEff", "CapBnd":
				wrong = strings.Trim(value, "0") != ""
			case "Seccomp":
				wrong = value != "2"
			case "NoNewPrivs":
				wrong = value != "1"
			default:
				continue
			}
			shown = append(shown, key+" "+strings.Fields(value)[0])
			if wrong {
				return fmt.Errorf("%s: %s is %s", svc.name, key, value)
			}
		}
		if _, err := s.berth("exec", svc.name, "touch", "/etc/x"); err == nil || !strings.Contains(err.Error(), "Read-only file system") {
			return fmt.Errorf("%s: /etc is writable: %w", svc.name, err)
		}
		if err := s.limited(svc); err != nil {
			return err
		}
		fmt.Println(strings.Join(shown, ", ") + fmt.Sprintf(", %d MiB, %d tasks", svc.memory>>20, svc.tasks))
	}
	return nil
}

// limited checks a service's limits in the runtime's statistics.
func (s *stack) limited(svc *service) error {
	text, err := s.berth("events", "--stats", svc.name)
	if err != nil {
		return err
	}
	var event struct {
		Data struct {
			Memory struct{ Usage struct{ Limit int64 } }
			Pids   struct{ Limit int64 }
		}
	}
	if err := json.Unmarshal([]byte(text), &event); err != nil {
		return err
	}
	if m, p := event.Data.Memory.Usage.Limit, event.Data.Pids.Limit; m != svc.memory || p != svc.tasks {
		return fmt.Errorf("%s: limits are %d bytes and %d tasks", svc.name, m, p)
	}
	return nil
}

// growAndShrink adds an application and kills another one while visitors place orders.
func growAndShrink(ctx context.Context, s *stack) error {
	t := newTraffic(ctx, "http://"+webAddress+"/orders")
	defer t.end()
	if _, err := t.next(ctx, 50); err != nil {
		return err
	}
	say("A third application joins while visitors order")
	third := s.app(3)
	if err := s.startApplication(ctx, third); err != nil {
		return err
	}
	if err := s.balance(ctx); err != nil {
		return err
	}
	answers, err := t.next(ctx, 150)
	if err != nil {
		return err
	}
	fmt.Println("orders answered:", answers)
	if answers[third.name] == 0 {
		return errors.New("the third application got no orders")
	}

	say("One application is killed while visitors order")
	second := s.service("app2")
	if err := s.stop(second, "KILL"); err != nil {
		return err
	}
	if err := s.balance(ctx); err != nil {
		return err
	}
	if answers, err = t.next(ctx, 150); err != nil {
		return err
	}
	fmt.Println("orders answered after the health check:", answers)
	if answers[second.name] != 0 {
		return errors.New("the dead application answered")
	}
	kept, lost := t.end()
	fmt.Printf("orders lost: %d of %d\n", len(lost), kept+len(lost))
	if len(lost) == 0 {
		return s.expectRows(kept)
	}
	return nil
}

// secondStart stops everything in an orderly way and starts the same bundles again. startAll
// compares the files that each container sees with those before.
func secondStart(ctx context.Context, s *stack) error {
	say("The same bundles, started again")
	for len(s.running) > 0 {
		svc := s.running[len(s.running)-1]
		signal := map[tier]string{webTier: "QUIT", appTier: "TERM", dbTier: "INT"}[svc.tier]
		if err := s.stop(svc, signal); err != nil {
			return err
		}
	}
	if err := s.startAll(ctx); err != nil {
		return err
	}
	for _, svc := range s.running {
		seen := s.seen[svc.name]
		if seen.starts < 2 {
			return fmt.Errorf("%s was started once", svc.name)
		}
		fmt.Printf("%s: %d files, byte for byte what they were\n", svc.name, len(seen.files))
	}
	if err := get("http://" + webAddress + "/health"); err != nil {
		return err
	}
	return s.nothingLeft(ctx)
}

// nothingLeft stops everything, this time by force, and checks that nothing is left. The bridge
// stays, because berth does not know who else uses it.
func (s *stack) nothingLeft(ctx context.Context) error {
	if err := s.takeDown(); err != nil {
		return err
	}
	// The kernel removes a container's interface asynchronously, with its namespace.
	if err := until(ctx, "wait for the interfaces to go", onlyBridge); err != nil {
		return err
	}
	left, err := s.berth("list", "--quiet")
	if err == nil && left != "" {
		err = fmt.Errorf("containers are left: %s", left)
	}
	return err
}

// onlyBridge fails if there are interfaces of containers.
func onlyBridge() error {
	interfaces, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, i := range interfaces {
		if i.Name != "lo" && i.Name != bridgeName {
			return fmt.Errorf("interface %s is left", i.Name)
		}
	}
	return nil
}
