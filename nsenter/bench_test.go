// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"slices"
	"syscall"
	"testing"
	"time"
)

// gap is the time between two runs. Without it, warm caches would make the result better than it
// is in practice.
const gap = 30 * time.Millisecond

// median runs f b.N times with gaps and reports the median of what it measures.
func median(b *testing.B, unit string, f func() time.Duration) {
	b.Helper()
	took := make([]time.Duration, 0, b.N)
	for range b.N {
		time.Sleep(gap)
		took = append(took, f())
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e6, unit)
}

func endOf(b *testing.B, i *Init) *syscall.Rusage {
	b.Helper()
	var usage syscall.Rusage
	if _, err := syscall.Wait4(i.PID, nil, 0, &usage); err != nil {
		b.Fatal(err)
	}
	return &usage
}

// BenchmarkNamespaces is the time from Start until init is in its namespaces.
func BenchmarkNamespaces(b *testing.B) {
	requireInit(b)
	median(b, "ms/start", func() time.Duration {
		began := time.Now()
		i, err := Start(&Options{NewNamespaces: allNew, ProcContexts: 1})
		if err != nil {
			b.Fatal(err)
		}
		inside, err := i.Namespaces()
		took := time.Since(began)
		if err != nil {
			b.Fatal(err)
		}
		_ = inside.Close()
		_ = i.Abort()
		_ = i.Close()
		return took
	})
}

// BenchmarkRun measures the time from Start to the end of /bin/true, in new namespaces, or in
// none, to show the cost of init alone.
func BenchmarkRun(b *testing.B) {
	requireInit(b)
	for name, namespaces := range map[string]uintptr{"new": allNew, "host": 0} {
		b.Run(name, func(b *testing.B) {
			p := rootPlan(b, "true")
			median(b, "ms/run", func() time.Duration {
				began := time.Now()
				i, err := Start(&Options{NewNamespaces: namespaces})
				if err != nil {
					b.Fatal(err)
				}
				if err := i.Configure(p); err != nil {
					b.Fatal(err)
				}
				if err := i.Proceed(); err != nil {
					b.Fatal(err)
				}
				endOf(b, i)
				took := time.Since(began)
				_ = i.Close()
				return took
			})
		})
	}
}

// BenchmarkInitCPU is the CPU time of init itself, from its exec until it is ready to execute
// the program.
func BenchmarkInitCPU(b *testing.B) {
	requireInit(b)
	p := rootPlan(b, "true")
	median(b, "cpu-ms", func() time.Duration {
		i, err := Start(&Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := i.Configure(p); err != nil {
			b.Fatal(err)
		}
		_ = i.Close() // it ends when the connection is closed
		usage := endOf(b, i)
		return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	})
}
