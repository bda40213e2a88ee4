package index

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/services/search/query"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// audit counts anew what the index says that it takes.
func audit(x *Index) int64 {
	bytes := int64(len(x.totals.past)) * momentBytes
	x.table.each(1, func(_ uint64, v *version) bool { bytes += v.size(); return true })
	for _, v := range []*vocabulary{&x.stems, &x.labels} {
		for _, t := range v.all {
			bytes += t.size() + int64(t.postings.size()) + int64(len(t.documents.past))*momentBytes
			for _, f := range t.forms {
				bytes += f.size() + int64(len(f.documents.past))*momentBytes
			}
		}
	}
	return bytes
}

// churn replaces documents again and again, each time with some words that nobody used before; a few are deleted.
func churn(t *testing.T, x *Index, h *hand, random *rand.Rand, offset *int64, changes int) (all []Change) {
	t.Helper()
	for range changes {
		id := fmt.Sprintf("d%03d", random.IntN(400))
		change := remove(*offset, id)
		if random.IntN(10) > 0 {
			words := []string{fmt.Sprintf("unique%d", *offset)}
			for range random.IntN(12) {
				words = append(words, corpusWords[random.IntN(len(corpusWords))])
			}
			change = put(*offset, id, corpusWords[random.IntN(len(corpusWords))], strings.Join(words, " "), "pos", fmt.Sprint(random.IntN(3)), "topic", words[0])
		}
		*offset += 1 + random.Int64N(2)
		h.now = h.now.Add(10 * time.Millisecond)
		if err := x.Apply([]Change{change}); err != nil {
			t.Fatal(err)
		}
		all = append(all, change)
	}
	return all
}

func TestAnIndexUnderReplacementStaysAsBigAsItsDocuments(t *testing.T) {
	h, random, offset := &hand{now: time.Unix(0, 0)}, rand.New(rand.NewPCG(1, 2)), int64(0)
	x := New(Options{Versions: time.Second, Now: h.time})
	churn(t, x, h, random, &offset, 2000)
	_, words, bytes := x.Size()
	written := x.table.next
	churn(t, x, h, random, &offset, 12000)
	documents, moreWords, moreBytes := x.Size()
	if moreBytes > 2*bytes || moreWords > 2*words {
		t.Errorf("%d documents: %d bytes and %d words became %d and %d after six times as many changes", documents, bytes, words, moreBytes, moreWords)
	}
	if x.table.next < 5*written {
		t.Fatalf("only %d versions were written after %d", x.table.next, written)
	}
	versions := 0
	x.table.each(1, func(uint64, *version) bool { versions++; return true })
	if versions > 4*int(documents)+2*pageSize || len(x.table.pages) > versions {
		t.Errorf("%d versions in %d pages for %d documents", versions, len(x.table.pages), documents)
	}
	if got := audit(x); got != moreBytes {
		t.Errorf("the index says that it takes %d bytes, counted anew %d", moreBytes, got)
	}
}

func TestNothingIsLeftOfDocumentsThatAreGone(t *testing.T) {
	h, random, offset := &hand{now: time.Unix(0, 0)}, rand.New(rand.NewPCG(3, 4)), int64(0)
	x := New(Options{Versions: time.Second, Now: h.time})
	churn(t, x, h, random, &offset, 2000)
	for i := range 400 {
		if err := x.Apply([]Change{remove(offset, fmt.Sprintf("d%03d", i))}); err != nil {
			t.Fatal(err)
		}
		offset++
	}
	h.now = h.now.Add(time.Minute)
	x.Advance(offset + 1)
	x.Sweep()
	documents, words, bytes := x.Size()
	if documents != 0 || words != 0 || len(x.labels.all) != 0 || x.published.Len() != 0 || len(x.ids) != 0 {
		t.Errorf("left: %d documents, %d stems, %d labels, %d forms, %d ids", documents, words, len(x.labels.all), x.published.Len(), len(x.ids))
	}
	if got := audit(x); got != bytes {
		t.Errorf("the index says that it takes %d bytes, counted anew %d", bytes, got)
	}
}

// TestLongListsAndManyPagesAreAnsweredAsTheFormulasSay is what the small logs of the properties do not reach: lists of several chunks,
// pages that were swept in part, versions that died at any time.
func TestLongListsAndManyPagesAreAnsweredAsTheFormulasSay(t *testing.T) {
	h, random, offset := &hand{now: time.Unix(0, 0)}, rand.New(rand.NewPCG(5, 6)), int64(0)
	x := New(Options{Versions: 3 * time.Second, Now: h.time})
	var all []Change
	for range 5 {
		all = append(all, churn(t, x, h, random, &offset, 600)...)
		for _, q := range []string{
			"dog", "dog cat", "dog AND cat", `"hot dog"`, "NOT dog", "hous*", "unique* AND hat", "recieve~", "title:dog OR (text:run AND NOT pos:1)",
			"* AND pos:2", "(dog AND horse AND hat AND happy) OR (cat AND NOT hous*) OR receive",
		} {
			epoch := x.Oldest() + random.Int64N(x.Epoch()-x.Oldest()+1)
			holds(t, x, epoch, parsed(t, q), stateAt(all, epoch))
		}
	}
}

// holds compares all hits of a query with the oracle's.
func holds(t *testing.T, x *Index, epoch int64, q *query.Node, o *oracle) {
	t.Helper()
	got := single(t, x, epoch, q, MostHits)
	hits, _ := o.search(q)
	if !reflect.DeepEqual(plain(got.Hits), hits) {
		t.Fatalf("epoch %d, %s\n got %v\nwant %v", epoch, q, plain(got.Hits), hits)
	}
}

// TestTheSizeIsAboutThatOfTheHeap keeps the bound of memory honest.
func TestTheSizeIsAboutThatOfTheHeap(t *testing.T) {
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before, random := heap(), rand.New(rand.NewPCG(7, 8))
	x := New(Options{})
	for offset := range int64(5000) {
		words := make([]string, 12)
		for i := range words {
			words[i] = fmt.Sprintf("w%d", int(random.ExpFloat64()*3000))
		}
		if err := x.Apply([]Change{put(offset, fmt.Sprint("id", offset), words[0], strings.Join(words, " "), "pos", "noun")}); err != nil {
			t.Fatal(err)
		}
	}
	took := heap() - before
	if _, _, bytes := x.Size(); bytes < took/2 || bytes > 2*took {
		t.Errorf("the index says that it takes %d bytes, the heap has grown by %d", bytes, took)
	}
	runtime.KeepAlive(x)
}

func TestAViewIsGoneWithItsEpoch(t *testing.T) {
	h := &hand{now: time.Unix(0, 0)}
	x := New(Options{Versions: time.Second, Now: h.time})
	if err := x.Apply([]Change{put(0, "a", "", "dog"), put(1, "b", "", "dog")}); err != nil {
		t.Fatal(err)
	}
	view, err := x.At(2)
	if err != nil {
		t.Fatal(err)
	}
	q := parsed(t, "dog")
	plan, err := Sum(q, []wire.Statistics{mustStatistics(t, view, q)})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Apply([]Change{remove(2, "a")}); err != nil {
		t.Fatal(err)
	}
	if answer, err := view.Search(context.Background(), wire.SearchRequest{Plan: plan, Limit: 5}); err != nil || len(answer.Hits) != 2 {
		t.Fatalf("within the window: %+v, %v", answer, err)
	}
	h.now = h.now.Add(2 * time.Second)
	x.Advance(4)
	_, searched := view.Search(context.Background(), wire.SearchRequest{Plan: plan})
	_, counted := view.Statistics(context.Background(), q)
	_, explained := view.Explain(plan, "a")
	_, shown := view.Documents([]int64{0}, nil)
	_, _, got := view.Document("a")
	_, suggested := view.Suggest(context.Background(), "dog")
	_, listed := view.Word(context.Background(), q, 10)
	dumped := view.Dump(func(Change) bool { return true })
	for name, err := range map[string]error{
		"search": searched, "statistics": counted, "explain": explained, "documents": shown, "document": got,
		"suggest": suggested, "word": listed, "dump": dumped,
	} {
		if err != ErrGone {
			t.Errorf("%s: %v, want %v", name, err, ErrGone)
		}
	}
}

func mustStatistics(t *testing.T, v *View, q *query.Node) wire.Statistics {
	t.Helper()
	statistics, err := v.Statistics(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return statistics
}
