package dictionary_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/certs/certstest"
	"github.com/flotilla-dev/flotilla/internal/dictionary"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type config struct {
	process.Contract
	upstream.Intervals
	upstream.Health
	retry.Settings
	Dictionary dictionary.Config `envPrefix:"DEMO_"`
}

// open returns the client of a program that runs until the end of the test.
func open(t *testing.T, env map[string]string) *dictionary.Client {
	t.Helper()
	program := process.Program{Name: "demo"}
	cfg := processtest.Parse[config](t, program, env)
	opened := make(chan *dictionary.Client, 1)
	processtest.Start(t, &cfg.Contract, func(ctx context.Context) error {
		defer close(opened)
		p, err := process.Open(ctx, program, cfg.Contract, cfg)
		if err != nil {
			return err
		}
		client, err := dictionary.Open(p, dictionary.Options{Config: cfg.Dictionary, Intervals: cfg.Intervals, Health: cfg.Health, Retry: cfg.Settings})
		if err != nil {
			p.Close()
			return err
		}
		opened <- client
		return p.Run(ctx)
	})
	client := <-opened
	if client == nil {
		t.Fatal("there is no client")
	}
	return client
}

// answers is a dictionary that says one thing.
func answers(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

func TestAnEntryIsOneLine(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Host + r.URL.EscapedPath() + " " + r.Header.Get("Accept"); got != "dictionary/v1/words/tcp%2Fip application/json" {
			t.Error(got)
		}
		_, _ = io.WriteString(w, "{\"word\": \"TCP/IP\",\n \"entries\": []}\n")
	}))
	defer server.Close()
	client := open(t, map[string]string{"DEMO_DICTIONARY": server.Listener.Addr().String()})
	if entry, err := client.Entry(t.Context(), "tcp/ip"); err != nil || string(entry) != `{"word":"TCP/IP","entries":[]}` {
		t.Errorf("%s, %v", entry, err)
	}
}

func TestWhatIsNoEntryIsAProblem(t *testing.T) {
	for _, c := range []struct {
		status int
		text   string
		want   error
	}{
		{404, "", dictionary.NotFound},
		{308, "", dictionary.NotFound}, // another spelling is another word
		{400, "", dictionary.Failed},
		{500, "", dictionary.Failed},
		{200, "{ no JSON", dictionary.Failed},
		{200, "{} {}", dictionary.Failed},
	} {
		server := httptest.NewServer(answers(c.status, c.text))
		client := open(t, map[string]string{"DEMO_DICTIONARY": server.Listener.Addr().String()})
		if entry, err := client.Entry(t.Context(), "dog"); !errors.Is(err, c.want) {
			t.Errorf("%d %q: %s, %v", c.status, c.text, entry, err)
		}
		server.Close()
	}
}

func TestADictionaryThatSpeaksTLSIsCheckedByItsName(t *testing.T) {
	authority := certstest.New(t)
	server := httptest.NewUnstartedServer(answers(200, "{}"))
	server.TLS = authority.Server("dictionary.test")
	server.StartTLS()
	defer server.Close()
	env := map[string]string{"DEMO_DICTIONARY": server.Listener.Addr().String(), "DEMO_DICTIONARY_TLS": "on", "DEMO_DICTIONARY_CA_FILE": authority.File, "RETRY_ATTEMPTS": "1"}
	for name, want := range map[string]error{"dictionary.test": nil, "other.test": dictionary.Failed} {
		env["DEMO_DICTIONARY_SERVER_NAME"] = name
		if _, err := open(t, env).Entry(t.Context(), "dog"); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWordsAreSpelledAsInURLs(t *testing.T) {
	for given, want := range map[string]string{
		"dog": "dog", "Dog": "dog", "hot Dog": "hot_dog", "tcp/ip": "tcp/ip", "ä": "ä", "100%": "100%", "%41": "%41", strings.Repeat("x", 128): strings.Repeat("x", 128),
	} {
		if word, err := dictionary.Spell(given); err != nil || word != want {
			t.Errorf("%q: %q, %v", given, word, err)
		}
	}
	for _, given := range []string{"", "\x01", "a\x7f", "\xff", strings.Repeat("x", 129)} {
		if word, err := dictionary.Spell(given); !errors.Is(err, dictionary.Invalid) {
			t.Errorf("%q: %q, %v", given, word, err)
		}
	}
}
