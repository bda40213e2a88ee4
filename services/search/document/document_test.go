package document_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/services/search/document"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// labels are n of them.
func labels(n int) map[string]string {
	all := map[string]string{}
	for i := range n {
		all[fmt.Sprint("l", i)] = "v"
	}
	return all
}

func TestABoundThatIsBrokenIsNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		d    document.Document
		want string
	}{
		"no id":             {document.Document{}, "id: missing: 1 to 128 letters of ASCII"},
		"long id":           {document.Document{ID: strings.Repeat("x", 129)}, "id: 129 bytes, at most 128"},
		"space in an id":    {document.Document{ID: "a b"}, "id: byte 2 is not a printable letter of ASCII, or is a space"},
		"control in an id":  {document.Document{ID: "ab\x7f"}, "id: byte 3 is not a printable letter of ASCII, or is a space"},
		"umlaut in an id":   {document.Document{ID: "ä"}, "id: byte 1 is not a printable letter of ASCII, or is a space"},
		"reserved id":       {document.Document{ID: "mark:wordnet"}, `id: begins with "mark:", which is reserved`},
		"long title":        {document.Document{ID: "a", Title: strings.Repeat("x", 4097)}, "title: 4097 bytes, at most 4096"},
		"long text":         {document.Document{ID: "a", Text: strings.Repeat("x", 65537)}, "text: 65537 bytes, at most 65536"},
		"title not UTF-8":   {document.Document{ID: "a", Title: "\xff"}, "title: not UTF-8"},
		"text not UTF-8":    {document.Document{ID: "a", Text: "a\xc3"}, "text: not UTF-8"},
		"many labels":       {document.Document{ID: "a", Labels: labels(17)}, "labels: 17 of them, at most 16"},
		"label in capitals": {document.Document{ID: "a", Labels: map[string]string{"Pos": "x"}}, `labels: the name "Pos": a name has 1 to 32 of a-z, 0-9 and _`},
		"label without a name": {document.Document{ID: "a", Labels: map[string]string{"": "x"}},
			`labels: the name "": a name has 1 to 32 of a-z, 0-9 and _`},
		"long name of a label": {document.Document{ID: "a", Labels: map[string]string{strings.Repeat("n", 33): "x"}},
			`labels: the name "` + strings.Repeat("n", 33) + `": a name has 1 to 32 of a-z, 0-9 and _`},
		"label like a field": {document.Document{ID: "a", Labels: map[string]string{"title": "x"}},
			"labels.title: this is the name of a field: call the label otherwise"},
		"long value":      {document.Document{ID: "a", Labels: map[string]string{"pos": strings.Repeat("v", 65)}}, "labels.pos: 65 bytes, at most 64"},
		"value not UTF-8": {document.Document{ID: "a", Labels: map[string]string{"pos": "\xff"}}, "labels.pos: not UTF-8"},
		"all at once": {document.Document{ID: " ", Title: "\xff", Text: "\xff", Labels: map[string]string{"b": "\xff", "a": "\xff"}},
			"id: byte 1 is not a printable letter of ASCII, or is a space; title: not UTF-8; text: not UTF-8; labels.a: not UTF-8; labels.b: not UTF-8"},
	} {
		if err := document.Check(test.d); err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

func TestADocumentMayReachEveryBound(t *testing.T) {
	t.Parallel()
	all := labels(15)
	all[strings.Repeat("n", 32)] = strings.Repeat("v", 64)
	for _, d := range []document.Document{
		{ID: strings.Repeat("~", 128), Title: strings.Repeat("x", 4096), Text: strings.Repeat("é", 32768), Labels: all},
		{ID: "!"},
		{ID: "a", Labels: map[string]string{"empty": ""}},
	} {
		if err := document.Check(d); err != nil {
			t.Errorf("%.20v…: %v", d, err)
		}
	}
}

func TestALineThatIsNoDocumentIsRefused(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		``:                                      "not a JSON object: byte 0: unexpected end of JSON input",
		`[]`:                                    "not a JSON object: found array",
		`null`:                                  "not a JSON object: null",
		`{"id":"a"} {}`:                         "not a JSON object: byte 12: invalid character '{' after top-level value",
		`{"id":7}`:                              "id: want a string",
		`{"id":"a","title":["x"]}`:              "title: want a string",
		`{"id":"a","labels":{"pos":1}}`:         "labels: want an object whose values are strings",
		`{"id":"a","labels":["noun"]}`:          "labels: want an object whose values are strings",
		`{"title":"x"}`:                         "id: missing: 1 to 128 letters of ASCII",
		`{"ID":"a"}`:                            "id: missing: 1 to 128 letters of ASCII",
		"{\"id\":\"a\",\"text\":\"\xff\"}":      "not UTF-8",
		strings.Repeat(" ", 1<<20) + `{"id":1}`: "1048584 bytes, at most 1048576",
	} {
		if d, err := document.Decode([]byte(line)); err == nil || err.Error() != want || !reflect.DeepEqual(d, document.Document{}) {
			t.Errorf("%.40s: %v, %v, want %s", line, d, err, want)
		}
	}
}

func TestADocumentIsReadFromALine(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]document.Document{
		`{"id":"n1","title":"dog","text":"a <canine>","labels":{"pos":"noun"}}`: {ID: "n1", Title: "dog", Text: "a <canine>", Labels: map[string]string{"pos": "noun"}},
		`{"_id":"31715818","title":"t","text":"x","metadata":{"url":"u"}}`:      {ID: "31715818", Title: "t", Text: "x"},
		`{"_id":"beir","id":"ours","other":[1,{"id":2}]}`:                       {ID: "ours"},
		`{"id":"a","text":null,"labels":null}`:                                  {ID: "a"},
		`{"id":"a","Text":"not ours","text":"\ud83d\ude00\n"}` + "\r\n":         {ID: "a", Text: "😀\n"},
	} {
		if got, err := document.Decode([]byte(line)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v", line, got, err)
		}
	}
}

func TestTheLongestDocumentFitsALine(t *testing.T) {
	t.Parallel()
	d := document.Document{ID: "a", Title: strings.Repeat("\x01", document.LongestTitle), Text: strings.Repeat("\x01", document.LongestText)}
	line, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := document.Decode(line); err != nil || got.Text != d.Text {
		t.Errorf("%d bytes: %v", len(line), err)
	}
}

// What is decoded keeps the bounds, and is decoded again from what it is encoded to.
func FuzzDecode(f *testing.F) {
	for _, line := range []string{
		`{"id":"n1","title":"dog","text":"x","labels":{"pos":"noun"}}`, `{"_id":"1","metadata":{}}`, `{"id":"a","id":null}`, `{"id":"\ud800"}`, `[`, "\xff",
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		d, err := document.Decode(line)
		if err != nil {
			if !utf8.ValidString(err.Error()) {
				t.Errorf("the message is not UTF-8: %q", err)
			}
			return
		}
		if err := document.Check(d); err != nil {
			t.Fatalf("decoded, but: %v", err)
		}
		if len(d.Labels) == 0 {
			d.Labels = nil
		}
		again, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := document.Decode(again); err != nil || !reflect.DeepEqual(got, d) {
			t.Errorf("%+v became %+v, %v", d, got, err)
		}
	})
}
