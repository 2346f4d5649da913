// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// startAll starts the tiers, from the data to the visitor, with two applications.
func (s *stack) startAll(ctx context.Context) error {
	if err := s.startDatabase(ctx, s.postgres()); err != nil {
		return err
	}
	for n := 1; n <= 2; n++ {
		if err := s.startApplication(ctx, s.app(n)); err != nil {
			return err
		}
	}
	s.generation = 1
	if err := s.writeUpstreams(s.applications()); err != nil {
		return err
	}
	return s.startReady(ctx, s.web(), func() error { return get("http://" + webAddress + "/health") })
}

// postgres returns the database server.
func (s *stack) postgres() *service {
	return s.db("db", "postgres", "-D", dataDirectory, "-c", "listen_addresses=*", "-c", "unix_socket_directories=/run")
}

func (s *stack) startDatabase(ctx context.Context, db *service) error {
	return s.startReady(ctx, db, func() error {
		_, err := s.berth("exec", db.name, "pg_isready", "--host", "/run", "--quiet")
		return err
	})
}

// psql runs a statement as the database's owner, in its container.
func (s *stack) psql(database, statement string) (string, error) {
	return s.berth("exec", "db", "psql", "--host", "/run", "--dbname", database, "--no-psqlrc", "--tuples-only",
		"--no-align", "--quiet", "--set", "ON_ERROR_STOP=1", "--command", statement)
}

func (s *stack) startApplication(ctx context.Context, app *service) error {
	return s.startReady(ctx, app, func() error { return healthy(app) })
}

// startReady starts a service, and waits until probe succeeds or the service has ended.
func (s *stack) startReady(ctx context.Context, svc *service, probe func() error) error {
	if err := s.start(svc); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	return until(ctx, "wait for "+svc.name, func() error {
		if ended, err := s.ended(svc); err != nil || ended {
			said, _ := os.ReadFile(s.log(svc))
			cancel(errors.Join(fmt.Errorf("it has ended: %s", said), err))
		}
		return probe()
	})
}

// healthy asks an application whether it works.
func healthy(app *service) error { return get("http://" + app.address + ":8000/health") }

// applications returns the running applications.
func (s *stack) applications() []*service {
	var apps []*service
	for _, svc := range s.running {
		if svc.tier == appTier {
			apps = append(apps, svc)
		}
	}
	return apps
}

// balance is the health check: it configures nginx with the applications that answer, and returns
// when nginx uses that configuration.
func (s *stack) balance(ctx context.Context) error {
	var fit []*service
	for n := 1; n <= 3; n++ {
		if app := s.app(n); healthy(app) == nil {
			fit = append(fit, app)
		}
	}
	s.generation++
	if err := s.writeUpstreams(fit); err != nil {
		return err
	}
	if _, err := s.berth("exec", "web", "nginx", "-c", "/etc/nginx/stack/nginx.conf", "-s", "reload"); err != nil {
		return err
	}
	return until(ctx, "wait for nginx to reload", s.reloaded)
}

// reloaded asks nginx which configuration it uses.
func (s *stack) reloaded() error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	resp, err := client.Head("http://" + webAddress + "/generation")
	if err != nil {
		return err
	}
	resp.Body.Close()
	if got := resp.Header.Get("X-Generation"); got != fmt.Sprint(s.generation) {
		return fmt.Errorf("generation %s", got)
	}
	return nil
}

// writeUpstreams writes the part of nginx's configuration that changes.
func (s *stack) writeUpstreams(apps []*service) error {
	var b strings.Builder
	fmt.Fprintf(&b, "map \"\" $generation { default %d; }\nupstream applications {\n", s.generation)
	for _, app := range apps {
		fmt.Fprintf(&b, "\tserver %s:8000; # %s\n", app.address, app.name)
	}
	b.WriteString("}\n")
	// nginx may read the file at any time.
	file := filepath.Join(s.webConfig(), "applications.conf")
	if err := os.WriteFile(file+".new", []byte(b.String()), 0o644); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}
