// SPDX-License-Identifier: Apache-2.0

// Command soak runs thousands of random commands of a runtime, several at a time on the same few
// containers, and kills some of them at random moments. At the end it deletes everything by
// force, and checks that nothing is left.
//
// Commands may fail, as most containers are in a wrong state for them. They may not hang, die
// from a signal that nobody has sent, or report a fault of the runtime itself. A seed decides
// which commands run, but not their timing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// config is the command line.
type config struct {
	runtime, rootfs, work string
	commands, workers     int
	boxes                 int
	seed                  uint64
	// killed says that one in so many commands is killed.
	killed int
}

func main() {
	var c config
	flag.StringVar(&c.runtime, "runtime", "", "the runtime")
	flag.StringVar(&c.rootfs, "rootfs", "", "root file system `directory` with busybox")
	flag.IntVar(&c.commands, "n", 5000, "`number` of commands")
	flag.IntVar(&c.workers, "workers", 8, "`number` of commands at a time")
	flag.IntVar(&c.boxes, "containers", 12, "`number` of containers")
	flag.IntVar(&c.killed, "kill", 8, "kill one in `N` commands with SIGKILL")
	flag.Uint64Var(&c.seed, "seed", 0, "`seed` of the random commands; 0 for a new one")
	flag.Parse()
	if c.seed == 0 {
		c.seed = uint64(time.Now().UnixNano())
	}
	if err := run(&c); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(c *config) (err error) {
	if c.runtime == "" || c.rootfs == "" {
		return errors.New("wants -runtime and -rootfs; see -help")
	}
	// Orphans become children of this process, so that it finds them.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become a subreaper: %w", err)
	}
	if c.work, err = os.MkdirTemp("", "berth-soak."); err != nil {
		return err
	}
	// Containers with a user namespace must be able to reach their root file systems.
	if err := os.Chmod(c.work, 0o755); err != nil {
		return err
	}
	s := &soak{config: c, token: fmt.Sprintf("soak%dx", os.Getpid())}
	for i := range c.boxes {
		b, err := s.newBox(i)
		if err != nil {
			return err
		}
		s.boxes = append(s.boxes, b)
	}
	before, err := take(s)
	if err != nil {
		return err
	}
	fmt.Printf("%d commands, %d at a time, on %d containers, seed %d\n", c.commands, c.workers, c.boxes, c.seed)
	began := time.Now()
	given, finished := s.work()
	<-given
	select {
	case <-finished:
	case <-time.After(patience):
		// The remaining commands wait for a paused container, which no other command will resume.
	}
	s.deleteAll()
	<-finished
	s.summary(time.Since(began))
	after, err := take(s)
	if err != nil {
		return err
	}
	left := before.less(after)
	for _, line := range left {
		fmt.Println("left over:", line)
	}
	if n := len(left) + len(s.faults); n > 0 {
		return fmt.Errorf("%d faults; everything is in %s (SEED=%d)", n, c.work, c.seed)
	}
	return s.clear()
}

// soak is one run.
type soak struct {
	*config
	// token is part of every id and cgroup.
	token string
	boxes []*box
	done  atomic.Int64

	mu     sync.Mutex
	counts map[string]*count
	faults []string
}

// count counts the results of one kind of command.
type count struct{ well, failed, killed int }

// patience is how long the last commands may take.
const patience = 10 * time.Second

// work runs all commands. given is closed when the last one has been started, and finished when
// all have ended.
func (s *soak) work() (given, finished chan struct{}) {
	s.counts = make(map[string]*count)
	var next atomic.Int64
	given, finished = make(chan struct{}), make(chan struct{})
	var last sync.Once
	var wg sync.WaitGroup
	for w := range s.workers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(s.seed, uint64(w)))
			for next.Add(1) <= int64(s.commands) {
				s.one(r)
				n := s.done.Add(1)
				if n%500 == 0 {
					fmt.Printf("%d of %d commands\n", n, s.commands)
				}
				// For tests/internal/progress.
				if os.Getenv("BERTH_PROGRESS") != "" {
					fmt.Printf("@progress %d %d commands\n", n, s.commands)
				}
			}
			last.Do(func() { close(given) })
		})
	}
	go func() {
		wg.Wait()
		close(finished)
	}()
	return given, finished
}

func (s *soak) fault(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	fmt.Println("FAULT", text)
	s.faults = append(s.faults, text)
}

// deleteAll deletes every container by force, one at a time. Nothing else runs.
func (s *soak) deleteAll() {
	for _, b := range s.boxes {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		r := s.command(ctx, b, -1, "delete", "--force", b.id)
		cancel()
		if r.status != 0 {
			s.fault("delete --force of %s: %s", b.id, r.output)
		}
	}
}

func (s *soak) summary(took time.Duration) {
	fmt.Printf("%-16s %7s %7s %7s\n", "command", "well", "failed", "killed")
	var all count
	for _, name := range sortedNames(s.counts) {
		c := s.counts[name]
		fmt.Printf("%-16s %7d %7d %7d\n", name, c.well, c.failed, c.killed)
		all.well, all.failed, all.killed = all.well+c.well, all.failed+c.failed, all.killed+c.killed
	}
	fmt.Printf("%-16s %7d %7d %7d in %.0f s\n", "all", all.well, all.failed, all.killed, took.Seconds())
}

// clear removes the program's own files and mounts.
func (s *soak) clear() error {
	var errs []error
	for _, b := range s.boxes {
		errs = append(errs, unix.Unmount(b.path("rootfs"), unix.MNT_DETACH))
	}
	errs = append(errs, removeParents(s.token))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return os.RemoveAll(s.config.work)
}

// stateRoot returns the --root of the runtime.
func (s *soak) stateRoot() string { return filepath.Join(s.config.work, "state") }
