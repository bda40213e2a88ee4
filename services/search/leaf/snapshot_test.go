package leaf

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/services/search/document"
	"github.com/flotilla-dev/flotilla/services/search/index"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// written is a snapshot of a few documents.
func written(t testing.TB) ([]byte, header) {
	t.Helper()
	x := index.New(index.Options{})
	if err := x.Apply([]index.Change{
		{Offset: 2, ID: "a", Document: &document.Document{ID: "a", Title: "dog", Text: "a hound", Labels: map[string]string{"pos": "noun"}}},
		{Offset: 5, ID: "b", Document: &document.Document{ID: "b", Text: "<b> & co"}},
		{Offset: 6, ID: "a", Document: &document.Document{ID: "a", Title: "cat"}},
	}); err != nil {
		t.Fatal(err)
	}
	x.Advance(9)
	view, err := x.At(wire.Latest)
	if err != nil {
		t.Fatal(err)
	}
	h := header{Topic: "documents", Identity: "x", Partition: 1, Epoch: 9, Current: time.Unix(1e9, 0).UTC(), Documents: 2, Marks: []string{"corpus"}}
	var file bytes.Buffer
	if err := fillSnapshot(&file, h, view); err != nil {
		t.Fatal(err)
	}
	return file.Bytes(), h
}

func anything(header) error { return nil }

func TestASnapshotHasWhatTheIndexHad(t *testing.T) {
	file, want := written(t)
	x := index.New(index.Options{})
	got, err := fillFrom(bytes.NewReader(file), x, anything)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%+v, %v; want %+v", got, err, want)
	}
	view, err := x.At(9)
	if err != nil {
		t.Fatal(err)
	}
	d, offset, err := view.Document("a")
	if err != nil || offset != 6 || d.Title != "cat" {
		t.Errorf("%+v at %d, %v", d, offset, err)
	}
	if d, offset, err = view.Document("b"); err != nil || offset != 5 || d.Text != "<b> & co" {
		t.Errorf("%+v at %d, %v", d, offset, err)
	}
}

func TestEverySingleWrongByteOfASnapshotIsFound(t *testing.T) {
	file, _ := written(t)
	for at := range file {
		bad := bytes.Clone(file)
		bad[at] ^= 0x20
		if _, err := fillFrom(bytes.NewReader(bad), index.New(index.Options{}), anything); err == nil {
			t.Errorf("byte %d of %d may be wrong", at, len(file))
		}
		if _, err := fillFrom(bytes.NewReader(file[:at]), index.New(index.Options{}), anything); err == nil {
			t.Errorf("it may end after %d of %d bytes", at, len(file))
		}
	}
}

func FuzzSnapshot(f *testing.F) {
	file, _ := written(f)
	f.Add(file)
	f.Add([]byte(snapshotMagic + `{"epoch":9,"documents":268435456}` + "\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		h, err := fillFrom(bytes.NewReader(file), index.New(index.Options{MaxBytes: 1 << 20}), anything)
		if err == nil && (h.Epoch < 0 || len(file) < len(snapshotMagic)+32) {
			t.Errorf("%+v is a snapshot", h)
		}
	})
}
