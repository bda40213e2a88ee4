package experiments

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAccountFindsWhatIsMissingRepeatedAndTorn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	text := `{"Timestamp":"x","Body":"#0000000","Attributes":{"log.record.uid":"a-1","again":"#0000000"}}
{"time":"its own log #0000009"}
{"Timestamp":"x","Body":"#0000001","Attributes":{"log.record.uid":"a-2","unparsed":"format"}}
{"Timestamp":"x","Body":"#0000001","Attributes":{"log.record.uid":"a-2","unparsed":"format"}}
{"Timestamp":"x","Body":"#0000003","Attributes":{"log.record.uid":"a-3"}}
{"Timestamp":"x","Body":"#0000003","Attributes":{"log.record.uid":"a-4"}}
{"Timestamp":"x","Bo
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	tally, err := account(path, 4)
	if err != nil {
		t.Fatal(err)
	}
	missing, double, wrong := tally.verdict([]bool{true, true, true, true})
	if tally.records != 5 || tally.repeated != 1 || tally.torn != 1 || missing != 1 || double != 1 || wrong != 1 {
		t.Errorf("%+v: %d missing, %d double, %d marked wrongly", tally, missing, double, wrong)
	}
}

func TestMixedLinesHaveTokensOfTheirOwn(t *testing.T) {
	m := newMixed()
	var b []byte
	for m.next < 5000 {
		b = m.append(b)
	}
	for i := range m.next {
		token := fmt.Sprintf("#%07d", i)
		if n := strings.Count(string(b), token); n != 1 {
			t.Fatalf("%s occurs %d times", token, n)
		}
	}
}

func TestFamiliesAreReadWithTypeAndLabels(t *testing.T) {
	got, err := familiesOf(strings.NewReader("# HELP redis_a b\n# TYPE redis_a summary\nredis_a{cmd=\"x\",quantile=\"50\"} 1\nredis_a_sum{cmd=\"x\"} 1\nredis_a_count{cmd=\"x\"} 1\n# TYPE redis_up gauge\nredis_up 1\n# TYPE go_x gauge\ngo_x 1\n"))
	if err != nil || len(got) != 2 || got["redis_a"] != "summary(cmd)" || got["redis_up"] != "gauge()" {
		t.Errorf("%v, %v", got, err)
	}
}
