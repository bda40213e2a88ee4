package doclog

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/IBM/sarama"

	"github.com/flotilla-dev/flotilla/services/search/document"
)

func TestRecordsAreReadAsTheyWereWritten(t *testing.T) {
	dog := document.Document{ID: "n02084071", Title: "dog <&>", Text: "a member of the genus Canis\u2028", Labels: map[string]string{"pos": "noun"}}
	for _, r := range []Record{Put(dog), Delete("n02084071"), Note("wordnet")} {
		encoded, err := encode(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode(17, encoded)
		r.Offset = 17
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%+v, %v; want %+v", got, err, r)
		}
	}
	if encoded, _ := encode(Delete("a")); encoded.Value != nil {
		t.Error("a deletion has a value: it would never leave a compacted topic")
	}
	if encoded, _ := encode(Note("a")); string(encoded.Key) != "mark:a" || encoded.Value == nil {
		t.Errorf("a mark is %q: %q", encoded.Key, encoded.Value)
	}
}

func TestRecordsThatCannotBeInTheLogAreRefused(t *testing.T) {
	for name, r := range map[string]Record{
		"no id":            Delete(""),
		"a long id":        Delete(strings.Repeat("a", MaxID+1)),
		"a space":          Delete("a b"),
		"not ASCII":        Delete("ä"),
		"the id of a mark": Put(document.Document{ID: "mark:a"}),
		"too much text":    Put(document.Document{ID: "a", Text: strings.Repeat("\x01", 100_000)}),
	} {
		var invalid *Invalid
		if _, err := encode(r); !errors.As(err, &invalid) {
			t.Errorf("%s: %v, want that it is invalid", name, err)
		}
	}
	if _, err := encode(Put(document.Document{ID: "a", Text: strings.Repeat("\x01", 64<<10), Title: strings.Repeat("\x01", 4<<10)})); err != nil {
		t.Errorf("the largest document that there may be: %v", err)
	}
}

func TestKindsOfNewerWritersAreToldFromGarbage(t *testing.T) {
	header := func(kind string) []*sarama.RecordHeader {
		return []*sarama.RecordHeader{{Key: []byte("kind"), Value: []byte(kind)}}
	}
	if _, err := decode(0, &sarama.Record{Key: []byte("a"), Value: []byte("{}"), Headers: header("image")}); !errors.Is(err, errOtherKind) {
		t.Errorf("a kind that is not known: %v", err)
	}
	for name, r := range map[string]*sarama.Record{
		"no key":        {Value: []byte(`{"id":""}`)},
		"no JSON":       {Key: []byte("a"), Value: []byte("{")},
		"another id":    {Key: []byte("a"), Value: []byte(`{"id":"b"}`)},
		"not UTF-8":     {Key: []byte("a"), Value: []byte("{\"id\":\"a\",\"text\":\"\xff\"}")},
		"a mark by key": {Key: []byte("a"), Value: []byte("{}"), Headers: header("mark")},
	} {
		if got, err := decode(0, r); err == nil || errors.Is(err, errOtherKind) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if got, err := decode(3, &sarama.Record{Key: []byte("a"), Value: []byte(`{"id":"a","more":1}`)}); err != nil || got.Document.ID != "a" {
		t.Errorf("a document without a header, with a field that is not known: %+v, %v", got, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("a"), []byte(`{"id":"a","title":"b","text":"c","labels":{"pos":"noun"}}`), []byte("document"))
	f.Add([]byte("mark:a"), []byte("{}"), []byte("mark"))
	f.Fuzz(func(t *testing.T, key, value, kind []byte) {
		r, err := decode(1, &sarama.Record{Key: key, Value: value, Headers: []*sarama.RecordHeader{{Key: []byte("kind"), Value: kind}}})
		if err != nil {
			return
		}
		again, err := encode(r)
		if r.Document != nil && strings.HasPrefix(r.ID, markPrefix) {
			return // can be read, and is not written by us
		}
		if err != nil && len(value) <= MaxRecord/6 {
			t.Errorf("%+v was read and cannot be written: %v", r, err)
		}
		if err == nil && string(again.Key) != string(key) {
			t.Errorf("key %q became %q", key, again.Key)
		}
	})
}
