package index

import (
	"bufio"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"github.com/flotilla-dev/flotilla/services/search/corpus"
	"github.com/flotilla-dev/flotilla/services/search/document"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// glosses are the documents of the fleet's corpus as changes, read once.
var glosses = sync.OnceValues(func() ([]Change, error) {
	f, err := os.Open(filepath.Join("..", "corpus", corpus.File))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	unpacked, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	var changes []Change
	lines := bufio.NewScanner(unpacked)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		d, err := document.Decode(lines.Bytes())
		if err != nil {
			return nil, err
		}
		changes = append(changes, Change{Offset: int64(len(changes)), ID: d.ID, Document: &d})
	}
	return changes, lines.Err()
})

func corpusChanges(b *testing.B) []Change {
	b.Helper()
	changes, err := glosses()
	if err != nil {
		b.Fatal(err)
	}
	return changes
}

// batch is how many changes the benchmarks apply at once, about what a fetch from the log brings.
const batch = 500

func indexed(b *testing.B, changes []Change, options Options) *Index {
	b.Helper()
	x := New(options)
	for len(changes) > 0 {
		size := min(batch, len(changes))
		if err := x.Apply(changes[:size]); err != nil {
			b.Fatal(err)
		}
		changes = changes[size:]
	}
	return x
}

// processor is the time of the processor that the process has used: on a machine that others use too, it says more than a clock.
func processor(b *testing.B) float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(used.Utime) + seconds(used.Stime)
}

func heapBytes() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

func BenchmarkIndexing(b *testing.B) {
	changes := corpusChanges(b)
	before := heapBytes()
	used := processor(b)
	b.ResetTimer()
	var x *Index
	for range b.N {
		x = indexed(b, changes, Options{})
	}
	b.StopTimer()
	documents := float64(len(changes) * b.N)
	b.ReportMetric(documents/b.Elapsed().Seconds(), "documents/s")
	b.ReportMetric(documents/(processor(b)-used), "documents/cpu-s")
	x.Sweep()
	b.ReportMetric((heapBytes()-before)/float64(len(changes)), "heap-B/document")
	_, words, bytes := x.Size()
	b.ReportMetric(float64(bytes)/float64(len(changes)), "counted-B/document")
	b.ReportMetric(float64(words), "stems")
}

// BenchmarkReplacing writes documents over that are there.
func BenchmarkReplacing(b *testing.B) {
	changes := corpusChanges(b)
	x := indexed(b, changes, Options{})
	used, next := processor(b), int64(len(changes))
	b.ResetTimer()
	for i := range b.N {
		change := changes[i*7919%len(changes)]
		change.Offset = next + int64(i)
		if err := x.Apply([]Change{change}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((processor(b)-used)*1e9/float64(b.N), "cpu-ns/op")
}

func BenchmarkQuery(b *testing.B) {
	x := indexed(b, corpusChanges(b), Options{})
	x.Sweep()
	view, err := x.At(wire.Latest)
	if err != nil {
		b.Fatal(err)
	}
	for _, text := range []string{
		"dog", "genus", "dog cat", "genus family", "genus AND plant", `"hot dog"`, `"genus of"`, "hous*", "co*", "recieve~1", "recieve~", "plant AND NOT genus", "pos:verb", "*",
	} {
		q := parsed(b, text)
		b.Run(text, func(b *testing.B) {
			used := processor(b)
			var answer wire.SearchAnswer
			for b.Loop() {
				statistics, err := view.Statistics(context.Background(), q)
				if err != nil {
					b.Fatal(err)
				}
				plan, err := Sum(q, []wire.Statistics{statistics})
				if err != nil {
					b.Fatal(err)
				}
				if answer, err = view.Search(context.Background(), wire.SearchRequest{Plan: plan, Limit: 10}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((processor(b)-used)*1e9/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(answer.Total), "matches")
		})
	}
}
