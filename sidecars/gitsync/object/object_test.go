package object_test

import (
	"errors"
	"testing"

	"github.com/flotilla-dev/flotilla/sidecars/gitsync/object"
)

const hash = "0123456789abcdef0123456789abcdef01234567"

func TestMalformedObjectsAreErrors(t *testing.T) {
	for _, text := range []string{"", "tree", "tree " + hash, "tree " + hash[1:] + "\n", "tree x" + hash[1:] + "\n", "parent " + hash + "\n", "tree " + hash + "\nparent x\n"} {
		if _, err := object.ParseCommit([]byte(text)); !errors.Is(err, object.ErrMalformed) {
			t.Errorf("commit %q: %v", text, err)
		}
	}
	for _, text := range []string{"x", "100644", "100644 a", "100644 a\x00", "100644 a\x00" + hash[:19], "9 a\x00" + hash[:20], "1000000 a\x00" + hash[:20]} {
		if _, err := object.ParseTree([]byte(text)); !errors.Is(err, object.ErrMalformed) {
			t.Errorf("tree %q: %v", text, err)
		}
	}
	c, err := object.ParseCommit([]byte("tree " + hash + "\nparent " + hash + "\nparent " + hash + "\nauthor x\n\nparent of all\n"))
	if err != nil || c.Tree.String() != hash || len(c.Parents) != 2 {
		t.Errorf("%+v, %v", c, err)
	}
}

func FuzzObjects(f *testing.F) {
	f.Add([]byte("tree " + hash + "\nparent " + hash + "\n"))
	f.Add([]byte("100644 a\x00" + hash[:20] + "40000 b\x00" + hash[:20]))
	f.Add([]byte("object " + hash + "\ntype commit\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, _ = object.ParseCommit(text)
		_, _ = object.ParseTag(text)
		entries, err := object.ParseTree(text)
		length := 0
		for _, e := range entries {
			length += len(e.Name) + 22
		}
		if err == nil && length > len(text) {
			t.Errorf("%d bytes of entries out of %d", length, len(text))
		}
	})
}
