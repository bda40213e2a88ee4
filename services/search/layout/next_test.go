package layout

import (
	"strings"
	"testing"
)

func TestAFileNamesTheLayoutThatDocumentsMoveTo(t *testing.T) {
	l, err := Parse([]byte("control: documents.layout\nshards: [a:1]\nnext: {topic: documents-2, placement: jump, shards: [b:1, c:1]}"), variables)
	if err != nil || l.Control != "documents.layout" || l.Topic != "documents" || l.Next == nil || l.Next.Topic != "documents-2" || l.Next.Placement != Jump || len(l.Next.Shards) != 2 {
		t.Fatalf("%+v %v", l, err)
	}
	for text, want := range map[string]string{
		"shards: [a:1]\nnext: {topic: b, shards: [b:1]}":                     "in which it is decided",
		"control: c\nshards: [a:1]\nnext: {topic: documents, shards: [b:1]}": "want another topic",
		"control: c\nshards: [a:1]\nnext: {topic: c, shards: [b:1]}":         "a third one",
		"control: documents\nshards: [a:1]":                                  "another topic than that of the documents",
		"control: 'a b'\nshards: [a:1]":                                      `"a b"`,
		"control: c\nshards: [a:1]\nnext: {topic: b, shards: []}":            "next: shards: there are 0",
		"control: c\nshards: [a:1]\nnext: {topic: b, next: {}}":              "field next not found",
	} {
		if _, err := Parse([]byte(text), variables); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
