package rawjson_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/rawjson"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhatIsNoJSONIsRefused(t *testing.T) {
	for _, in := range []string{
		``, `{`, `}`, `[`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{a:1}`, `{"a":1 "b":2}`, `{"a":01}`, `{"a":.5}`, `{"a":1.}`, `{"a":1e}`, `{"a":+1}`, `{"a":tru}`,
		"{\"a\":\"\x01\"}", `{"a":"\x"}`, `{"a":"\u12"}`, `{"a":"\u12g4"}`, `{"a":"`, `{"a":"\`, `{"a":1}x`, `{"a":[1,]}`, `{"a":{"b":}}`, `-`, `nul`,
		strings.Repeat("[", 100) + strings.Repeat("]", 100),
	} {
		if rawjson.Valid([]byte(in)) {
			t.Errorf("%q is valid", in)
		}
		if _, ok := rawjson.Members([]byte(in), nil); ok {
			t.Errorf("%q is an object", in)
		}
	}
}

func TestMembersAreReturnedAsTheyStand(t *testing.T) {
	got, ok := rawjson.Members([]byte(` { "a\n" : {"x":[1, 2]} , "b":"c", "b": -1.5e3 } `), nil)
	want := [][2]string{{`"a\n"`, `{"x":[1, 2]}`}, {`"b"`, `"c"`}, {`"b"`, `-1.5e3`}}
	if !ok || len(got) != len(want) {
		t.Fatalf("%v %q", ok, got)
	}
	for i, m := range got {
		if string(m.Name) != want[i][0] || string(m.Value) != want[i][1] {
			t.Errorf("%s: %s", m.Name, m.Value)
		}
	}
}

func TestUnquoteKnowsSurrogates(t *testing.T) {
	for in, want := range map[string]string{
		`"plain"`: "plain", `"\"\\\/\b\f\n\r\t"`: "\"\\/\b\f\n\r\t", `"\u00e9"`: "é", `"\ud83d\ude00"`: "😀", `"\ud83d"`: "\ufffd", `"\ud83dx"`: "\ufffdx", `"\ud83d\u0041"`: "\ufffdA",
	} {
		if got := string(rawjson.Unquote([]byte(in))); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func FuzzItAgreesWithEncodingJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-0.5e+3,"x\u00e9\ud83d",true,false,null,{}],"":[]}`, `{"a":1,}`, ` [ ] `, `"\ud800\udc00"`, `{"a":"\"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got, want := rawjson.Valid(in), json.Valid(in)
		if got != want && bytes.Count(in, []byte("["))+bytes.Count(in, []byte("{")) <= rawjson.MaxDepth {
			t.Fatalf("%q: %v, encoding/json says %v", in, got, want)
		}
		var object map[string]json.RawMessage
		members, isObject := rawjson.Members(in, nil)
		if err := json.Unmarshal(in, &object); isObject && err != nil {
			t.Fatalf("%q is no object: %v", in, err)
		}
		for _, m := range members {
			if !isObject || !utf8.Valid(m.Name) {
				continue
			}
			var name string
			if err := json.Unmarshal(m.Name, &name); err != nil || name != string(rawjson.Unquote(m.Name)) {
				t.Fatalf("%s is %q, not %q", m.Name, name, rawjson.Unquote(m.Name))
			}
		}
		if elements, ok := rawjson.Elements(in, nil); ok {
			var list []json.RawMessage
			if err := json.Unmarshal(in, &list); err != nil || len(list) != len(elements) {
				t.Fatalf("%q: %d elements, %d, %v", in, len(elements), len(list), err)
			}
		}
	})
}
