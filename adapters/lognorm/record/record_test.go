package record

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func FuzzStringsMeanTheSameToEncodingJSON(f *testing.F) {
	for _, s := range []string{"plain", "é\u2028😀", "\x00\x1f\x7f\"\\\n\r\t", "\xff\xfe\xc3", "\xed\xa0\x80"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, s []byte) {
		var got string
		if err := json.Unmarshal(AppendString(nil, s), &got); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		marshalled, err := json.Marshal(string(s))
		if err != nil {
			t.Fatal(err)
		}
		var want string
		if err := json.Unmarshal(marshalled, &want); err != nil || got != want {
			t.Fatalf("%q is %q, want %q", s, got, want)
		}
	})
}

func FuzzTimesAreThoseOfTheTimePackage(f *testing.F) {
	for _, ns := range []int64{0, 1, -1, 1e9, 1_709_633_472_500_000_000, 1_709_633_472_000_000_001} {
		f.Add(ns, ns+100)
	}
	f.Fuzz(func(t *testing.T, a, b int64) {
		var c clock
		for _, ns := range []int64{a, b, a} { // the second time from memory
			if ns < -62_135_596_800*1e9/10 || ns > 9e18 {
				continue
			}
			if got, want := string(c.append(nil, ns)), time.Unix(0, ns).UTC().Format(time.RFC3339Nano); got != want {
				t.Fatalf("%d is %s, want %s", ns, got, want)
			}
		}
	})
}

func TestFieldsWithoutAValueAreLeftOut(t *testing.T) {
	r := Record{Observed: 1_709_633_472_000_000_000, UID: []byte("a-1")}
	var l Line
	if got := string(l.Append(nil, &r)); got != `{"ObservedTimestamp":"2024-03-05T10:11:12Z","Attributes":{"log.record.uid":"a-1"}}`+"\n" {
		t.Error(got)
	}
}

func TestKeysAreUniqueAndTheReservedOnesOurs(t *testing.T) {
	var r Record
	for _, key := range []string{"a", "b", "a", "log.record.uid", "log.file.path", "unparsed"} {
		if !r.Set([]byte(key), Text([]byte("v"))) {
			t.Fatal(key)
		}
	}
	r.Add("fixed", Int(1))
	r.Set([]byte("fixed"), Int(2))
	var l Line
	if got := string(l.Append(nil, &r)); !strings.Contains(got, `"a":"v","b":"v","line.log.record.uid":"v","line.log.file.path":"v","line.unparsed":"v","fixed":2}`) {
		t.Error(got)
	}
}

func TestTooManyAttributesAreRefused(t *testing.T) {
	var r Record
	for i := range MaxAttrs {
		if !r.Set(fmt.Append(nil, i), Int(1)) {
			t.Fatal(i)
		}
	}
	if r.Set([]byte("more"), Int(1)) || !r.Set([]byte("5"), Int(2)) {
		t.Error("the bound does not hold")
	}
}

func TestGroupsOfARequestFollowResourceAndScope(t *testing.T) {
	o := OTLP{Own: AppendKeyValue(nil, "service.name", "shop")}
	var out []byte
	for _, r := range []Record{{Body: Text([]byte("1"))}, {Body: Text([]byte("2")), Scope: []byte("a")}, {Body: Text([]byte("3")), Scope: []byte("a")}, {Body: Text([]byte("4")), Scope: []byte("a"), Resource: []Attr{{Name: "host.name", Value: Text([]byte("h"))}}}} {
		out = o.Append(out, &r)
	}
	out = o.End(out)
	var request struct {
		ResourceLogs []struct {
			ScopeLogs []struct {
				Scope      struct{ Name string }
				LogRecords []any
			}
		}
	}
	if err := json.Unmarshal(out, &request); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var shape []string
	for _, r := range request.ResourceLogs {
		for _, s := range r.ScopeLogs {
			shape = append(shape, fmt.Sprintf("%q×%d", s.Scope.Name, len(s.LogRecords)))
		}
		shape = append(shape, "|")
	}
	if got := strings.Join(shape, " "); got != `""×1 "a"×2 | "a"×1 |` {
		t.Error(got)
	}
}
