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

// traffic is visitors who order without a pause, each with a new connection for every
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

// order is one request and what became of it.
type order struct {
	began time.Time
	// application and generation tell who answered, and by which configuration of nginx
	// it was found.
	application, generation string
	err                     error
}

// visitors is how many order at the same time: enough to have some at each application.
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
	// Who waits for answers wakes when there will be none.
	context.AfterFunc(ctx, t.answered.Broadcast)
	return t
}

// order places one order. A visitor who is stopped waits for the answer, so that the
// count is exact.
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

// next waits for the answers to n orders that are placed from now on, and returns who
// answered how many. A lost order is an error.
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

// end stops the visitors and returns how many orders were kept, and those that were lost.
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

// patience is how long the slowest machine may take for something that has to come.
const patience = 2 * time.Minute

// until tries again until probe succeeds: what it asks is another host's to know, so there
// is no event to wait for.
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

// get is a request that has to be answered with 200 soon.
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
