package doclog

import (
	"hash/fnv"
	"strconv"
	"testing"
)

func TestModuloIsTheRemainderOfTheHash(t *testing.T) {
	p, err := NewPlacement(Modulo, 3)
	if err != nil {
		t.Fatal(err)
	}
	// FNV-1a of 64 bits of "a" is af63dc4c8601ec8c, whose hexadecimal digits add up to 136: the remainder by 3 is 1.
	if got := p.Of("a"); got != 1 {
		t.Errorf("a is in shard %d, want 1", got)
	}
	for i := range 1000 {
		id := "n" + strconv.Itoa(i)
		h := fnv.New64a()
		h.Write([]byte(id))
		if want := int32(h.Sum64() % 3); p.Of(id) != want {
			t.Errorf("%s is in shard %d, want %d", id, p.Of(id), want)
		}
	}
}

func TestJumpMovesDocumentsToNewShardsOnly(t *testing.T) {
	three, _ := NewPlacement(Jump, 3)
	four, _ := NewPlacement(Jump, 4)
	moved := 0
	for i := range 4000 {
		id := "n" + strconv.Itoa(i)
		if a, b := three.Of(id), four.Of(id); a != b {
			moved++
			if b != 3 {
				t.Errorf("%s moves from shard %d to %d, which both were there", id, a, b)
			}
		}
	}
	if moved < 800 || moved > 1200 {
		t.Errorf("%d of 4000 move, about a quarter should", moved)
	}
}

func TestPlacementsAreNamed(t *testing.T) {
	for _, wrong := range []struct {
		name   string
		shards int
	}{{"ketama", 3}, {"", 3}, {Modulo, 0}, {Jump, MaxShards + 1}} {
		if _, err := NewPlacement(wrong.name, wrong.shards); err == nil {
			t.Errorf("%q over %d shards is a placement", wrong.name, wrong.shards)
		}
	}
}
