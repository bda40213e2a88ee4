package experiments

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/machine"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// standins speak as leaves do, and hold nothing. They take a time that is known, and whether one of them is slow, or fails, is decided
// by its name and by the word that is asked for: asking it once more changes nothing, and asking another replica does.
type standins struct {
	base    time.Duration // of each search
	slow    float64       // share of the searches that are slow
	slowBy  time.Duration
	failing float64 // share of the searches that fail

	calls    atomic.Int64 // of both phases that came
	searches atomic.Int64 // the second phase
	slowed   atomic.Int64 // of them
	failed   atomic.Int64
}

// standinDocuments are those that a stand-in says it has.
const standinDocuments = 1000

// start starts n shards of stand-ins and returns their addresses, as a layout has them.
func (s *standins) start(g *rig.Rig, n, replicas int) ([]string, error) {
	var shards []string
	for shard := range n {
		address := ""
		for replica := range replicas {
			upstream, err := s.listen(g, shard, replica)
			if err != nil {
				return nil, err
			}
			if replica > 0 {
				address += ","
			}
			address += upstream
		}
		shards = append(shards, address)
	}
	return shards, nil
}

func (s *standins) listen(g *rig.Rig, shard, replica int) (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	one := standin{all: s, shard: shard, name: fmt.Sprintf("%d-%d", shard, replica)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /v1/status", one.status)
	mux.HandleFunc("POST /v1/statistics", one.statistics)
	mux.HandleFunc("POST /v1/search", one.search)
	mux.HandleFunc("POST /v1/suggest", func(w http.ResponseWriter, _ *http.Request) { say(w, map[string]any{"words": []any{}}) })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(ln) // ends by Close
	}()
	g.Defer(func() {
		_ = server.Close()
		<-done
	})
	_, port, err := net.SplitHostPort(ln.Addr().String())
	return ln.Addr().String() + "/" + port, err
}

// standin is one replica.
type standin struct {
	all   *standins
	shard int
	name  string
}

// queryNode is a node of a query, as far as a stand-in must know it: there are only words.
type queryNode struct {
	Kind  string      `json:"kind"`
	Words []string    `json:"words"`
	Nodes []queryNode `json:"nodes"`
}

// scoring are the nodes that score, in preorder.
func (n queryNode) scoring() []queryNode {
	if n.Kind == "term" {
		return []queryNode{n}
	}
	var all []queryNode
	for _, child := range n.Nodes {
		all = append(all, child.scoring()...)
	}
	return all
}

func (standin) status(w http.ResponseWriter, _ *http.Request) {
	say(w, map[string]any{"topic": "standins", "epoch": 1, "documents": standinDocuments, "words": 1, "snapshot": -1})
}

func (s standin) statistics(w http.ResponseWriter, r *http.Request) {
	s.all.calls.Add(1)
	var request struct {
		Query queryNode `json:"query"`
	}
	if !hear(w, r, &request) {
		return
	}
	nodes := []any{}
	for _, n := range request.Query.scoring() {
		words := []any{}
		for _, word := range n.Words {
			words = append(words, map[string]any{"word": word, "documents": 1})
		}
		nodes = append(nodes, map[string]any{"words": words})
	}
	tokens := int64(10 * standinDocuments)
	say(w, map[string]any{"epoch": 1, "documents": standinDocuments, "lengths": map[string]int64{"": tokens, "title": tokens, "text": tokens}, "nodes": nodes})
}

func (s standin) search(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	var request struct {
		Plan struct {
			Query queryNode `json:"query"`
		} `json:"plan"`
	}
	if !hear(w, r, &request) {
		return
	}
	word := ""
	for _, n := range request.Plan.Query.scoring() {
		word += " " + n.Words[0]
	}
	s.all.calls.Add(1)
	s.all.searches.Add(1)
	wait := s.all.base
	if drawn("slow", s.name, word) < s.all.slow {
		s.all.slowed.Add(1)
		wait += s.all.slowBy
	}
	if machine.Wait(r.Context(), wait-time.Since(began)) != nil {
		return // nobody waits for it any more
	}
	if drawn("fails", s.name, word) < s.all.failing {
		s.all.failed.Add(1)
		http.Error(w, "told to fail", http.StatusInternalServerError)
		return
	}
	text := []any{map[string]any{"text": "a document"}}
	hit := map[string]any{"id": fmt.Sprintf("of-%d", s.shard), "offset": 0, "bits": math.Float64bits(1 / float64(s.shard+1)), "title": text, "snippet": text}
	say(w, map[string]any{"epoch": 1, "documents": standinDocuments, "total": 1, "hits": []any{hit}})
}

// drawn is a number in [0, 1) that is as good as random, and the same for the same texts.
func drawn(texts ...string) float64 {
	h := fnv.New64a()
	for _, t := range texts {
		_, _ = h.Write([]byte(t + "\x00")) // a hash takes everything
	}
	x := h.Sum64() // whose low bits are the better ones: they are mixed into the others
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return float64(x>>11) / (1 << 53)
}

func hear(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(into); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

func say(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // who asked may be gone
}
