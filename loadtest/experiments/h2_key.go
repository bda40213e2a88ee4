package experiments

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/country"
	"github.com/flotilla-dev/flotilla/internal/sharding"
	"github.com/flotilla-dev/flotilla/internal/shardkey"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// The experiment of keys: users of four countries read pages that are written in the language of their country.
const (
	keyShards  = 4
	keyPages   = 200
	userOfEach = 125 // users of a network of 128 addresses, one of 256 has twice as many
)

var languages = map[string]string{"US": "en", "GB": "en", "FR": "fr", "DE": "de"}

// A keyCase is a shard key, and what the caches keep answers by.
type keyCase struct {
	title string
	key   string
	keeps string // "key": the shard key alone; "target": the page; "vary": the page and what the origin says that it varies on
}

var keyCases = []keyCase{
	{"whole request", "uri", "key"},
	{"path", "path", "key"},
	{"address and path", "client+path", "key"},
	{"country and path", "country+path", "key"},
	{"country and path, kept by path alone", "country+path", "target"},
	{"path, and the origin says Vary", "path", "vary"},
	{"country and path, and the origin says Vary", "country+path", "vary"},
}

// keysOfRequests sends the same requests to the same caches, with one key after another.
func keysOfRequests(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "cache"); err != nil {
		return err
	}
	requests := 20_000
	if r.Quick {
		requests = 4_000
	}
	t := proof.Table{Title: fmt.Sprintf("%d requests of %d pages by users of four countries, four caches", requests, keyPages), Columns: []string{"key", "the caches keep by", "different keys", "hit rate", "in a wrong language"}}
	outcomes := map[string]keyOutcome{}
	for i, c := range keyCases {
		o, err := runKeyCase(ctx, g, i, c, requests)
		if err != nil {
			return fmt.Errorf("%s: %w", c.title, err)
		}
		outcomes[c.title] = o
		keeps := map[string]string{"key": "the shard key", "target": "the page", "vary": "the page and the country"}[c.keeps]
		t.Rows = append(t.Rows, []string{c.title, keeps, fmt.Sprint(o.keys), percent(o.rate()), percent(float64(o.wrong) / float64(o.requests))})
		if c.keeps == "key" {
			r.Claim(proof.Exactly(c.title+": hits, by the number of different keys", o.hits, requests-o.keys, "hits"))
		}
	}
	claimKeys(r, outcomes)
	r.Table(t)
	r.Note("Real cache processes; the client computes key and shard, by internal/shardkey and nginx's placement, and sends one request after another. The same requests for each key. Every request has a time of its own in its query, which the pages do not depend on. Pages have Zipf popularity.")
	return nil
}

func claimKeys(r *proof.Report, o map[string]keyOutcome) {
	r.Claim(proof.AtMost("whole request: hit rate", o["whole request"].rate()*100, 1, "%"))
	r.Claim(proof.AtLeast("path: hit rate", o["path"].rate()*100, 90, "%"))
	r.Claim(proof.AtLeast("path: answers in a wrong language, which is why it is the wrong key", 100*float64(o["path"].wrong)/float64(o["path"].requests), 10, "%"))
	r.Claim(proof.AtMost("address and path: hit rate", o["address and path"].rate()*100, 40, "%"))
	r.Claim(proof.AtLeast("country and path: hit rate", o["country and path"].rate()*100, 75, "%"))
	for _, title := range []string{"whole request", "address and path", "country and path", "path, and the origin says Vary", "country and path, and the origin says Vary"} {
		r.Claim(proof.Exactly(title+": answers in a wrong language", o[title].wrong, 0, fmt.Sprintf("of %d", o[title].requests)))
	}
	byPath := o["country and path, kept by path alone"]
	r.Claim(proof.AtLeast("country and path, kept by path alone: answers in a wrong language, as two countries may share a shard", 100*float64(byPath.wrong)/float64(byPath.requests), 1, "%"))
}

// A keyOutcome is what became of the requests of one case.
type keyOutcome struct{ requests, keys, hits, wrong int }

func (o keyOutcome) rate() float64 { return float64(o.hits) / float64(o.requests) }

func runKeyCase(ctx context.Context, g *rig.Rig, n int, c keyCase, requests int) (o keyOutcome, err error) {
	origin, stop, err := languageOrigin(c.keeps == "vary")
	if err != nil {
		return o, err
	}
	defer stop()
	var servers []sharding.Server
	var clients []*openloop.Client
	for i := range keyShards {
		p, err := cacheBefore(ctx, g, fmt.Sprintf("cache-%d-%d", n+1, i+1), origin, map[string]string{"CACHE_ACCESS_LOG": "0"})
		if err != nil {
			return o, err
		}
		defer p.Kill()
		client, err := plain(p.Data)
		if err != nil {
			return o, err
		}
		defer client.Close()
		// Places by fixed names: a shard of this experiment holds the same keys in every run.
		servers, clients = append(servers, sharding.Server{Name: fmt.Sprintf("shard-%d:8080", i+1), Weight: 1}), append(clients, client)
	}
	key, err := shardkey.Parse(c.key)
	if err != nil {
		return o, err
	}
	countries := country.Documentation()
	order, err := sharding.NewOrder("nginx", servers)
	if err != nil {
		return o, err
	}
	readers := newReaders(requests)
	seen := map[string]bool{}
	for readers.next() {
		text := key.In(countries).Append(nil, readers)
		shard := order.First(sharding.CRC32(text), nil)
		seen[string(text)] = true
		path := "/" + url.PathEscape(string(text))
		if c.keeps != "key" {
			path = readers.page()
		}
		if err := o.ask(ctx, clients[shard], path, countries.Of(readers.Client()).String()); err != nil {
			return o, err
		}
	}
	o.keys = len(seen)
	return o, nil
}

// ask sends one request, and judges the language of the answer.
func (o *keyOutcome) ask(ctx context.Context, client *openloop.Client, path, from string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequest(http.MethodGet, client.URL()+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("X-Country", from)
	a, resp := client.Do(ctx, req)
	if a.Err != nil || a.Status != http.StatusOK {
		return fmt.Errorf("%s: status %d, %w", path, a.Status, errors.Join(a.Err))
	}
	o.requests++
	if isHit(a.Cache) {
		o.hits++
	}
	if resp.Header.Get("Content-Language") != languages[from] {
		o.wrong++
	}
	return nil
}

// readers are users who ask for one page after another; the same ones in every run.
type readers struct {
	random  *rand.Rand
	pick    func() int
	left, n int
	client  netip.Addr
	number  int
}

func newReaders(requests int) *readers {
	random := rand.New(rand.NewPCG(2014, 2026))
	zipf := rand.NewZipf(random, 1.1, 1, keyPages-1)
	return &readers{random: random, pick: func() int { return int(zipf.Uint64()) }, left: requests}
}

// next is the next request.
func (r *readers) next() bool {
	if r.left == 0 {
		return false
	}
	r.left--
	r.n++
	networks := [][4]byte{{192, 0, 2, 0}, {192, 0, 2, 128}, {198, 51, 100, 0}, {198, 51, 100, 128}, {203, 0, 113, 0}, {203, 0, 113, 128}}
	a := networks[r.random.IntN(len(networks))]
	a[3] += byte(1 + r.random.IntN(userOfEach))
	r.client, r.number = netip.AddrFrom4(a), r.pick()
	return true
}

func (r *readers) page() string { return fmt.Sprintf("/page-%d", r.number) }

// Target implements shardkey.Request.
func (r *readers) Target() []byte { return fmt.Appendf(nil, "%s?t=%d", r.page(), r.n) }

// Client implements shardkey.Request.
func (r *readers) Client() netip.Addr { return r.client }

// Field implements shardkey.Request.
func (r *readers) Field(string, int) ([]byte, bool) { return nil, false }

// languageOrigin answers every page in the language of the country that asks, and says so or not.
func languageOrigin(vary bool) (upstream string, stop func(), err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		language := languages[r.Header.Get("X-Country")]
		w.Header().Set("Cache-Control", "max-age=3600")
		if vary {
			w.Header().Set("Vary", "X-Country")
		}
		w.Header().Set("Content-Language", language)
		_, _ = fmt.Fprintf(w, "%s in %s\n", strings.TrimPrefix(r.URL.Path, "/"), language) // a client that is gone needs no answer
	})
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(ln) // ends by Close
	}()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return ln.Addr().String() + "/" + port, func() {
		_ = server.Close()
		<-done
	}, nil
}
