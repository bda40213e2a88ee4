package thesaurus

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/memtest"
	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/openapi"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// words is a small dictionary: synonyms and hypernyms of a word.
var words = map[string][2][]string{
	"dog":     {{"hound", "canine"}, {"animal"}},
	"hound":   {{"dog", "canine"}, {"hunting_dog"}},
	"canine":  {{"dog"}, {"animal", "nowhere"}},
	"animal":  {nil, {"being"}},
	"tcp/ip":  {{"protocol"}, nil},
	"nowhere": {}, // is referred to and not there
}

// fakeDictionary knows the words above, and counts.
type fakeDictionary struct {
	asked  atomic.Int32
	broken atomic.Bool
	ill    atomic.Bool // for one request
}

func (d *fakeDictionary) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.asked.Add(1)
	word := strings.TrimPrefix(r.URL.Path, "/v1/words/")
	links, known := words[word]
	switch {
	case d.ill.Swap(false):
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case d.broken.Load():
		_, _ = io.WriteString(w, "{ no JSON")
		return
	case !known || word == "nowhere" || strings.Contains(word, "/") && !strings.Contains(r.URL.RawPath, "%2F"):
		w.WriteHeader(http.StatusNotFound)
		return
	}
	list := func(words []string) string {
		var all []string
		for _, word := range words {
			all = append(all, fmt.Sprintf(`{"word":%q,"href":"/%s"}`, strings.ReplaceAll(word, "_", " "), word))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	fmt.Fprintf(w, `{"word":"w","key":"w","entries":[{"senses":[{"definition":"d","synonyms":%s},{"definition":"e","hypernyms":%s}]}]}`, list(links[0]), list(links[1]))
}

// startThesaurus starts the application before a dictionary and memcached, and
// returns its URL and that of its administration.
func startThesaurus(t *testing.T, d http.Handler, env map[string]string) (url, admin string) {
	t.Helper()
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	all := map[string]string{"CHECK_INTERVAL": "0s", "THESAURUS_DICTIONARY": server.Listener.Addr().String(), "THESAURUS_MEMCACHED_TIMEOUT": "300ms"}
	maps.Copy(all, env)
	cfg := processtest.Parse[Config](t, Program, all)
	running := processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return Run(ctx, cfg) })
	return "http://" + running.Data, "http://" + running.Admin
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	response, body := processtest.Get(t, url)
	return response.StatusCode, body
}

func ask(t *testing.T, url, word string) (int, Answer, string) {
	t.Helper()
	status, body := get(t, url+"/v1/related/"+word)
	var a Answer
	_ = json.Unmarshal([]byte(body), &a) // a problem has other members
	return status, a, body
}

const ofDog = `[{"word":"animal","hops":1,"paths":2},{"word":"canine","hops":1,"paths":2},{"word":"hound","hops":1,"paths":1},` +
	`{"word":"being","hops":2,"paths":1},{"word":"hunting dog","hops":2,"paths":1},{"word":"nowhere","hops":2,"paths":1}]`

func TestWithoutMemcachedTheAnswerIsTheSame(t *testing.T) {
	d := &fakeDictionary{}
	url, _ := startThesaurus(t, d, map[string]string{"THESAURUS_MEMCACHED_ADDR": nettest.Refuse(t)})
	for range 2 {
		if status, a, body := ask(t, url, "dog"); status != 200 || a.Cache != unavailable || string(a.Related) != ofDog {
			t.Errorf("%d %s", status, body)
		}
	}
	if n := d.asked.Load(); n != 8 {
		t.Errorf("the dictionary was asked %d times, want 1 + 3 for each", n)
	}
}

func TestAMemcachedThatHangsIsGivenUpInTime(t *testing.T) {
	m := memtest.Start(t)
	m.Hang()
	url, _ := startThesaurus(t, &fakeDictionary{}, map[string]string{"THESAURUS_MEMCACHED_ADDR": m.Addr()})
	began := time.Now()
	status, a, body := ask(t, url, "dog")
	if took := time.Since(began); status != 200 || a.Cache != unavailable || took > 10*time.Second {
		t.Errorf("%d %s after %v", status, body, took)
	}
}

func TestMistakesAreProblemsAndNothingOfThemIsKept(t *testing.T) {
	m := memtest.Start(t)
	d := &fakeDictionary{}
	url, _ := startThesaurus(t, d, map[string]string{"THESAURUS_MEMCACHED_ADDR": m.Addr()})
	for word, want := range map[string]string{
		"nosuchword": "404 #word-not-found", "%01": "400 #word-invalid", "%ff": "400 #word-invalid", strings.Repeat("x", 129): "400 #word-invalid",
	} {
		status, _, body := ask(t, url, word)
		code, kind, _ := strings.Cut(want, " ")
		if !strings.Contains(body, kind) || fmt.Sprint(status) != code {
			t.Errorf("%q: %d %s", word, status, body)
		}
	}
	d.broken.Store(true)
	if status, _, body := ask(t, url, "dog"); status != 502 || !strings.Contains(body, "#upstream-failed") || strings.Contains(body, "JSON") {
		t.Errorf("%d %s", status, body)
	}
	if n := m.Seen("set"); n != 0 {
		t.Errorf("%d failures were kept", n)
	}
}

func TestAWordIsWorkedOutOnceInItsTime(t *testing.T) {
	m := memtest.Start(t)
	d := &fakeDictionary{}
	url, admin := startThesaurus(t, d, map[string]string{"THESAURUS_MEMCACHED_ADDR": m.Addr(), "THESAURUS_TTL": "1m"})
	for i, want := range []string{miss, hit, hit} {
		word := []string{"dog", "Dog", "dog"}[i]
		if status, a, body := ask(t, url, word); status != 200 || a.Cache != want || a.Word != "dog" || string(a.Related) != ofDog {
			t.Errorf("%d: %d %s", i, status, body)
		}
	}
	if n := d.asked.Load(); n != 4 {
		t.Errorf("the dictionary was asked %d times", n)
	}
	if m.Seen("set related:dog 0 60 ") != 1 {
		t.Error("the answer was not kept for its time")
	}
	if status, a, body := ask(t, url, "tcp%2Fip"); status != 200 || a.Word != "tcp/ip" || !strings.Contains(body, `"protocol"`) {
		t.Errorf("%d %s", status, body)
	}
	if _, body := get(t, url+"/v1/stats"); body != `{"hits":2,"misses":2,"unavailable":0,"hit_rate":0.5,"dictionary_requests":6}`+"\n" {
		t.Error(body)
	}
	_, metrics := get(t, admin+"/metrics")
	for _, line := range []string{`thesaurus_requests_total{cache="hit"} 2`, "thesaurus_hit_ratio 0.5"} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("metrics lack %s", line)
		}
	}
}

func TestAValueThatIsNoAnswerIsReplaced(t *testing.T) {
	m := memtest.Start(t)
	m.Put("related:dog", "garbage")
	url, _ := startThesaurus(t, &fakeDictionary{}, map[string]string{"THESAURUS_MEMCACHED_ADDR": m.Addr()})
	if _, a, body := ask(t, url, "dog"); a.Cache != miss || string(a.Related) != ofDog {
		t.Error(body)
	}
	if m.Value("related:dog") != ofDog {
		t.Errorf("memcached holds %q", m.Value("related:dog"))
	}
}

// An answer is of the cache or of the dictionary, as a whole, and what it cost there
// is counted as it was sent.
func TestRequestsToTheDictionaryAreCountedAsTheyAreSent(t *testing.T) {
	d := &fakeDictionary{}
	d.ill.Store(true)
	url, _ := startThesaurus(t, d, map[string]string{"THESAURUS_MEMCACHED_ADDR": memtest.Start(t).Addr()})
	for _, want := range []string{
		`{"hits":0,"misses":1,"unavailable":0,"hit_rate":0,"dictionary_requests":5}`, // dog twice, hound, canine, animal
		`{"hits":1,"misses":1,"unavailable":0,"hit_rate":0.5,"dictionary_requests":5}`,
	} {
		if status, _, body := ask(t, url, "dog"); status != http.StatusOK || d.asked.Load() != 5 {
			t.Errorf("asked %d times: %d %s", d.asked.Load(), status, body)
		}
		if _, stats := get(t, url+"/v1/stats"); stats != want+"\n" {
			t.Error(stats)
		}
	}
}

func TestBreadthBoundsTheRequests(t *testing.T) {
	d := &fakeDictionary{}
	url, _ := startThesaurus(t, d, map[string]string{"THESAURUS_MEMCACHED_ADDR": memtest.Start(t).Addr(), "THESAURUS_BREADTH": "1"})
	if status, _, body := ask(t, url, "dog"); status != 200 || d.asked.Load() != 2 {
		t.Errorf("%d requests, %d %s", d.asked.Load(), status, body)
	}
}

// The dictionary is ill; the program is told to believe no bad check, to try twice,
// and to eject at once. With the defaults it would not be asked at all, or three
// times, and would not be ejected.
func TestChecksEjectionAndRetriesAreAsSet(t *testing.T) {
	var checks, asked atomic.Int32
	enough := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			asked.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		switch checks.Add(1) {
		case 1: // well
			return
		case 10:
			close(enough)
		}
		w.WriteHeader(http.StatusInternalServerError)
	}))
	defer server.Close()
	addr := server.Listener.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	url, admin := startThesaurus(t, nil, map[string]string{
		"THESAURUS_MEMCACHED_ADDR": nettest.Refuse(t), "THESAURUS_DICTIONARY": addr + "/" + port, "CHECK_INTERVAL": "1ms", "CHECK_DOWN": "1000000", "RETRY_ATTEMPTS": "2", "EJECT_AFTER": "1",
	})
	<-enough
	if status, _, body := ask(t, url, "dog"); status != http.StatusBadGateway || asked.Load() != 2 {
		t.Errorf("asked %d times: %d %s", asked.Load(), status, body)
	}
	if _, metrics := get(t, admin+"/metrics"); !strings.Contains(metrics, `upstream_ejections_total{endpoint="`+addr+`",upstream="dictionary"} 1`) {
		t.Error("the dictionary was not ejected")
	}
}

func TestWrongParametersAreNamedTogether(t *testing.T) {
	cfg := processtest.Parse[Config](t, Program, map[string]string{"THESAURUS_DICTIONARY": "a:1", "THESAURUS_TTL": "1ms", "THESAURUS_MEMCACHED_TIMEOUT": "0s", "THESAURUS_BREADTH": "0", "CHECK_TIMEOUT": "0s", "RETRY_ATTEMPTS": "0"})
	err := Run(t.Context(), cfg)
	for _, want := range []string{"THESAURUS_TTL", "THESAURUS_MEMCACHED_TIMEOUT", "THESAURUS_BREADTH", "CHECK_TIMEOUT", "RETRY_ATTEMPTS"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %s: %v", want, err)
		}
	}
}

func TestOpenAPIDescribesTheRoutes(t *testing.T) {
	document, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	e := echo.New()
	routes(e, &thesaurus{})
	diff, err := openapi.Diff(document, e.Routes())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range diff {
		t.Error(d)
	}
}
