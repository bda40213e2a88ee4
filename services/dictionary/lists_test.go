package dictionary_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

const postRecent = "/v1/recent"

// recentWords decodes an answer of /v1/recent.
func recentWords(t *testing.T, body string) string {
	t.Helper()
	var list struct{ Words []struct{ Word, Href string } }
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	words := []string{}
	for _, w := range list.Words {
		words = append(words, w.Word)
	}
	return strings.Join(words, " ")
}

func (r *replica) lookUp(t *testing.T, word, cookie string) (*http.Response, string) {
	t.Helper()
	header := []string{"Content-Type", "application/json"}
	if cookie != "" {
		header = append(header, "Cookie", cookie)
	}
	return r.do(t, "POST", r.data+postRecent, fmt.Sprintf(`{"word":%q}`, word), header...)
}

func TestTheFirstLookUpBeginsASession(t *testing.T) {
	t.Parallel()
	r := ready(t, nil)
	if resp, body := r.get(t, "/v1/recent"); resp.StatusCode != 200 || recentWords(t, body) != "" || resp.Header.Get("Set-Cookie") != "" {
		t.Errorf("reading begins no session: %d %v %s", resp.StatusCode, resp.Header, body)
	}
	resp, body := r.lookUp(t, "Dog", "")
	set := resp.Header.Get("Set-Cookie")
	if resp.StatusCode != 200 || recentWords(t, body) != "dog" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, body)
	}
	for _, want := range []string{"__Host-session=", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"} {
		if !strings.Contains(set, want) {
			t.Errorf("Set-Cookie %q lacks %q", set, want)
		}
	}
	cookie, _, _ := strings.Cut(set, ";")
	resp, body = r.lookUp(t, "hot dog", cookie)
	if recentWords(t, body) != "hot dog dog" || resp.Header.Get("Set-Cookie") != "" {
		t.Errorf("%v %s", resp.Header, body)
	}
	if resp, body = r.get(t, "/v1/recent", "Cookie", cookie); recentWords(t, body) != "hot dog dog" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v %s", resp.Header, body)
	}
}

func TestASessionOfADeadReplicaIsEmptyAndGoesOn(t *testing.T) {
	t.Parallel()
	r := ready(t, nil)
	const cookie = "__Host-session=0123456789abcdefghij" // of a replica that died, or made by the cache in front
	if resp, body := r.get(t, "/v1/recent", "Cookie", cookie); resp.StatusCode != 200 || recentWords(t, body) != "" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	resp, body := r.lookUp(t, "dog", cookie)
	if resp.StatusCode != 200 || recentWords(t, body) != "dog" || resp.Header.Get("Set-Cookie") != "" {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, body)
	}
	// What is no session id begins a new session.
	for _, bad := range []string{"short", strings.Repeat("a", 200), "0123456789abcdef/../x", "0123456789abcdef%00"} {
		if resp, _ := r.lookUp(t, "dog", "__Host-session="+bad); resp.Header.Get("Set-Cookie") == "" {
			t.Errorf("%q was taken for a session", bad)
		}
	}
}

func TestTheCookieIsNoPartOfAWord(t *testing.T) {
	t.Parallel()
	r := ready(t, nil)
	plain, without := r.get(t, "/dog")
	resp, with := r.get(t, "/dog", "Cookie", "__Host-session=0123456789abcdefghij")
	if with != without || resp.Header.Get("ETag") != plain.Header.Get("ETag") || resp.Header.Get("Set-Cookie") != "" {
		t.Errorf("%v", resp.Header)
	}
}

func TestBadLookUpsAreRefused(t *testing.T) {
	t.Parallel()
	r := ready(t, nil)
	const json = "application/json"
	for name, test := range map[string]struct {
		kind, body string
		want       int
	}{
		"a form":         {"application/x-www-form-urlencoded", "word=dog", 415},
		"no type":        {"", `{"word":"dog"}`, 415},
		"plain text":     {"text/plain", `{"word":"dog"}`, 415},
		"no JSON":        {json, `word`, 400},
		"another type":   {json, `{"word":7}`, 400},
		"nothing":        {json, ``, 400},
		"no word":        {json, `{}`, 400},
		"a long word":    {json, `{"word":"` + strings.Repeat("a", 129) + `"}`, 400},
		"a NUL":          {json, `{"word":"a\u0000"}`, 400},
		"a large body":   {json, `{"word":"dog","x":"` + strings.Repeat("a", 1024) + `"}`, 413},
		"a huge body":    {json, strings.Repeat(" ", 2<<20), 413},
		"an unknown one": {json, `{"word":"zzzzqqq"}`, 404},
	} {
		resp, body := r.do(t, "POST", r.data+postRecent, test.body, "Content-Type", test.kind)
		if resp.StatusCode != test.want || resp.Header.Get("Content-Type") != "application/problem+json" || resp.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %v %s", name, resp.StatusCode, resp.Header, body)
		}
	}
}

func TestSuggestions(t *testing.T) {
	t.Parallel()
	r := ready(t, nil)
	resp, body := r.get(t, "/v1/suggest?prefix=Hot%20D&limit=3&unknown=parameter")
	if resp.StatusCode != 200 || !strings.Contains(body, `{"word":"hot dog","href":"/hot_dog"}`) || resp.Header.Get("ETag") == "" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if _, body := r.get(t, "/v1/suggest?prefix=zzzzz"); body != `{"prefix":"zzzzz","suggestions":[]}`+"\n" {
		t.Errorf("%s", body)
	}
	resp, _ = r.get(t, "/v1/suggest?prefix=hot_d&limit=3", "If-None-Match", resp.Header.Get("ETag"))
	if resp.StatusCode != 304 {
		t.Errorf("the same question in another spelling: %d", resp.StatusCode)
	}
}

func TestARandomWordIsNeverStored(t *testing.T) {
	t.Parallel()
	r := ready(t, nil)
	seen := map[string]bool{}
	for range 5 {
		resp, body := r.get(t, "/v1/random")
		if resp.StatusCode != 200 || resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("ETag") != "" {
			t.Errorf("%d %v", resp.StatusCode, resp.Header)
		}
		seen[body] = true
	}
	if len(seen) < 2 {
		t.Error("five random words were one")
	}
	resp, _ := r.get(t, "/v1/random", "Accept", "text/html,*/*;q=0.8")
	if resp.StatusCode != 303 || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("a browser: %d %v", resp.StatusCode, resp.Header)
	}
	if to, _ := r.get(t, resp.Header.Get("Location")); to.StatusCode != 200 {
		t.Errorf("%s: %d", resp.Header.Get("Location"), to.StatusCode)
	}
}

func TestCapacityIsWhatWasConfigured(t *testing.T) {
	t.Parallel()
	// One request every 250 ms, and none may wait longer than that: of ten at
	// once, one is answered at once and one after 250 ms.
	r := ready(t, map[string]string{"DICTIONARY_MAX_RATE": "4", "DICTIONARY_MAX_WAIT": "260ms"})
	var mu sync.Mutex
	statuses := map[int]int{}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			resp, _ := r.get(t, "/v1/random")
			mu.Lock()
			defer mu.Unlock()
			statuses[resp.StatusCode]++
			if resp.StatusCode == 503 && resp.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		})
	}
	wg.Wait()
	if statuses[200] < 2 || statuses[200]+statuses[503] != 10 || statuses[503] == 0 {
		t.Errorf("%v", statuses)
	}
}
