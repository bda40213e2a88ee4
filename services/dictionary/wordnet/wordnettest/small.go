package wordnettest

import (
	"testing"
	"testing/fstest"

	"github.com/flotilla-dev/flotilla/services/dictionary/wordnet/build"
)

// Source returns WordNet files of six synsets: enough for every section.
func Source() fstest.MapFS {
	file := func(text string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("  1 The licence is indented.  \n" + text)}
	}
	return fstest.MapFS{
		"index.noun": file("canis_familiaris n 1 1 @ 1 0 00000200  \ndog n 1 1 @ 1 1 00000200  \nanimal n 1 1 ~ 1 0 00000100  \nmouse n 1 1 @ 1 0 00000300  \n"),
		"index.verb": file("run v 1 0 1 0 00000100  \n"),
		"index.adj":  file("able a 1 1 ! 1 0 00000100  \nunable a 1 1 ! 1 0 00000200  \n"),
		"index.adv":  file("ably r 1 1 \\ 1 0 00000100  \n"),
		"data.noun": file("00000100 05 n 01 animal 0 002 ~ 00000200 n 0000 ~ 00000300 n 0000 | a living organism  \n" +
			"00000200 05 n 02 dog 0 Canis_familiaris 0 001 @ 00000100 n 0000 | a domestic animal; \"the dog barked\"; \"my dog\"  \n" +
			"00000300 05 n 01 mouse 0 001 @ 00000100 n 0000 | a small rodent  \n"),
		"data.verb": file("00000100 38 v 01 run 0 000 01 + 02 00 | move fast; \"he ran\"  \n"),
		"data.adj": file("00000100 00 a 01 able(p) 0 001 ! 00000200 a 0101 | having the skill  \n" +
			"00000200 00 s 01 unable 0 001 ! 00000100 a 0101 | not having it  \n"),
		"data.adv": file("00000100 02 r 01 ably 0 001 \\ 00000100 a 0101 | with skill  \n"),
		"noun.exc": file("mice mouse\n"), "verb.exc": file("ran run\n"), "adj.exc": file(""), "adv.exc": file(""),
		"cntlist.rev": file("dog%1:05:00:: 1 42\nunable%5:00:00:x:00 1 3\n"),
	}
}

// Small returns the file of Source.
func Small(tb testing.TB) []byte {
	tb.Helper()
	b, err := build.Build(Source())
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
