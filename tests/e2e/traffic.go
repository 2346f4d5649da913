// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// traffic are visitors who place orders without a pause, each with a new connection for every
// order.
type traffic struct {
	client *http.Client
	url    string
	stop   context.CancelFunc
	done   sync.WaitGroup

	mu       sync.Mutex
	answered *sync.Cond
	orders   []order
}

// order is a request and its result.
type order struct {
	began time.Time
	// application and generation say who has answered, and with which configuration of nginx.
	application, generation string
	err                     error
}

// visitors is the number of visitors: enough to reach each application at the same time.
const visitors = 4

func newTraffic(ctx context.Context, url string) *traffic {
	t := &traffic{
		url:    url,
		client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second},
	}
	t.answered = sync.NewCond(&t.mu)
	ctx, t.stop = context.WithCancel(ctx)
	for visitor := range visitors {
		t.done.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				t.record(t.order(fmt.Sprintf("visitor%d-%d", visitor, n)))
			}
		})
	}
	// This wakes goroutines that wait for answers, of which there will be no more.
	context.AfterFunc(ctx, t.answered.Broadcast)
	return t
}

// order places one order. A visitor who is stopped still waits for the answer, so that the count
// is exact.
func (t *traffic) order(id string) order {
	o := order{began: time.Now()}
	resp, err := t.client.Post(t.url, "application/json", strings.NewReader(`{"id": "`+id+`"}`))
	if err != nil {
		o.err = err
		return o
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	o.application, o.generation = strings.TrimSpace(string(body)), resp.Header.Get("X-Generation")
	switch {
	case err != nil:
		o.err = err
	case resp.StatusCode != http.StatusOK:
		o.err = fmt.Errorf("%s: %s", resp.Status, o.application)
	}
	return o
}

func (t *traffic) record(o order) {
	t.mu.Lock()
	t.orders = append(t.orders, o)
	t.mu.Unlock()
	t.answered.Broadcast()
}

// next waits for the answers to n orders that are placed from now on, and returns how many each
// application has answered. A lost order is an error.
func (t *traffic) next(ctx context.Context, n int) (map[string]int, error) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	seen, answers := len(t.orders), map[string]int{}
	for got := 0; ; t.answered.Wait() {
		for ; seen < len(t.orders); seen++ {
			o := t.orders[seen]
			if o.began.Before(now) {
				continue
			}
			if o.err != nil {
				return nil, fmt.Errorf("an order was lost: %w", o.err)
			}
			answers[o.application]++
			got++
		}
		if got >= n || ctx.Err() != nil {
			return answers, ctx.Err()
		}
	}
}

// end stops the visitors, and returns the number of orders that were answered and the errors of
// those that were lost.
func (t *traffic) end() (kept int, lost []error) {
	t.stop()
	t.done.Wait()
	for _, o := range t.orders {
		if o.err != nil {
			lost = append(lost, o.err)
		} else {
			kept++
		}
	}
	return kept, lost
}

// patience is how long an event may take on the slowest machine.
const patience = 2 * time.Minute

// until calls probe until it succeeds. There is no event to wait for.
func until(ctx context.Context, what string, probe func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		err := probe()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w: %w", what, context.Cause(ctx), err)
		case <-again.C:
		}
	}
}

// get sends a request, which must soon be answered with status 200.
func get(url string) error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}
