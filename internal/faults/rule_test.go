package faults_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/faults"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWrongRulesAreAllNamed(t *testing.T) {
	_, err := faults.Parse([]byte(`[
		{"fault": "status", "status": 503},
		{"fault": "explode", "path": "dog", "method": "get", "probability": 1.5},
		{"fault": "latency", "delay": "5s", "jitter": "6s"},
		{"fault": "latency", "delay": "11m"},
		{"fault": "latency", "delay": 100},
		{"fault": "latency", "delay": "100"},
		{"fault": "status", "status": 200, "delay": "1s"},
		{"fault": "abort", "status": 500, "probability": -0.1},
		{"fault": "abort", "pth": "/"},
		null,
		"abort"
	]`))
	var wrong faults.Errors
	if !errors.As(err, &wrong) {
		t.Fatalf("error %v", err)
	}
	want := []string{
		`rule 2: fault "explode" is none of latency, status, abort, blackhole, pause`,
		`rule 2: path "dog" does not begin with /`, `rule 2: method "get" is not in capitals`,
		`rule 2: probability is not`, `rule 3: jitter 6s`, `rule 4: delay 11m0s`, `rule 5: cannot unmarshal number`,
		`rule 6: "100" is no duration with its unit`, `rule 7: delay and jitter belong to latency`, `rule 7: status 200`,
		`rule 8: probability`, `rule 8: status belongs`, `rule 9: unknown field "pth"`, `rule 10: is no object`, `rule 11: is no object`,
	}
	if len(wrong) != len(want) {
		t.Errorf("%d mistakes, want %d", len(wrong), len(want))
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("nothing says %q in %q", w, wrong)
		}
	}
}

func TestWrongListsAreRefused(t *testing.T) {
	many := strings.Repeat(`{"fault":"abort"},`, faults.MaxRules) + `{"fault":"abort"}`
	for content, want := range map[string]string{
		"":                "want a JSON list",
		"{}":              "want a JSON list",
		"[":               "want a JSON list",
		`[] []`:           "nothing after it",
		`[{"fault":}]`:    "want a JSON list",
		"[" + many + "]":  "101 rules, at most 100",
		"\xff\x00garbage": "want a JSON list",
	} {
		if _, err := faults.Parse([]byte(content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: error %v does not say %q", content, err, want)
		}
	}
}

// Rules that were taken can be written, read again and put in place.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`[{"path":"/v1/","fault":"latency","delay":"100ms","jitter":"50ms","probability":0.1}]`))
	f.Add([]byte(`[{"method":"GET","fault":"status","status":503},{"fault":"pause"},{"fault":"abort"},{"fault":"blackhole"}]`))
	f.Add([]byte(`[null,{"Fault":"abort","fault":"pause"}]`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, content []byte) {
		rules, err := faults.Parse(content)
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error that says nothing")
			}
			return
		}
		written, err := json.Marshal(rules)
		if err != nil {
			t.Fatal(err)
		}
		again, err := faults.Parse(written)
		if err != nil || !reflect.DeepEqual(rules, again) {
			t.Fatalf("%s reads back as %+v, %v", written, again, err)
		}
		set, _ := faults.New(nil)
		if err := set.Replace(rules); err != nil {
			t.Fatal(err)
		}
		d := set.Decide("GET", "/dog", func() float64 { return 0.999 })
		if d.Delay < 0 || d.Status != 0 && (d.Status < 400 || d.Status > 599) {
			t.Fatalf("%+v", d)
		}
	})
}

func ExampleParse() {
	_, err := faults.Parse([]byte(`[{"fault": "latency"}, {"fault": "status", "status": 99}]`))
	fmt.Println(err)
	// Output: rule 1: delay 0s is not above 0s and at most 10m0s; rule 2: status 99 is not from 400 to 599
}
