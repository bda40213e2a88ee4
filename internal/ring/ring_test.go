package ring_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/ring"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// build makes a ring of the default options.
func build(t testing.TB, names ...string) *ring.Ring {
	t.Helper()
	r, err := ring.New(ring.Options{}, ring.Named(names...)...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// names returns m0 … m(n-1).
func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = "m" + strconv.Itoa(i)
	}
	return all
}

const keys = 100_000

// placement: see TestPlacementIsStableAcrossVersions.
const placement = "131123121213"

func key(i int) string { return "session-" + strconv.Itoa(i) }

func TestWrongMembersAreAllNamed(t *testing.T) {
	members := append(ring.Named("a", "a", ""), ring.Member{Name: "w", Weight: -1})
	_, err := ring.New(ring.Options{Points: -4}, members...)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{`"a" is there twice`, "without a name", "weight -1 is negative", "-4 points"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	if _, err := ring.New(ring.Options{}, ring.Named(names(ring.MaxMembers+1)...)...); err == nil {
		t.Error("more than MaxMembers were taken")
	}
}

func TestEmptyRingOwnsNothing(t *testing.T) {
	for _, r := range []*ring.Ring{nil, build(t)} {
		walk := r.From("k")
		if _, ok := walk.Next(); ok || r.Owner("k") != "" || r.Len() != 0 || len(r.Members()) != 0 {
			t.Errorf("an empty ring gave a member")
		}
	}
}

// hundreds is a hash for computing a ring in the head: the number after the
// last dash × 100, plus 10 for a, 20 for b, 30 for c; a key is its own number.
func hundreds(s string) uint64 {
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		return n
	}
	n, _ := strconv.ParseUint(s[2:], 10, 64)
	return n*100 + uint64(s[0]-'a'+1)*10
}

func TestRingComputedInTheHead(t *testing.T) {
	// With two points each the circle reads a10 b20 c30 a110 b120 c130.
	r, err := ring.New(ring.Options{Points: 2, Hash: hundreds}, ring.Named("a", "b", "c")...)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"0": "a", "10": "a", "11": "b", "20": "b", "21": "c", "30": "c",
		"31": "a", "110": "a", "115": "b", "130": "c", "131": "a", "9999": "a",
	} {
		if got := r.Owner(key); got != want {
			t.Errorf("owner of %s is %s, want %s", key, got, want)
		}
	}
	walk := r.From("15")
	for _, want := range []int{1, 2, 0} {
		if got, ok := walk.Next(); !ok || got != want {
			t.Errorf("walk from 15 met %d, want %d", got, want)
		}
	}
	if _, ok := walk.Next(); ok {
		t.Error("the walk met a fourth member of three")
	}
}

func TestTwoPointsAtOnePlaceAreDecidedByName(t *testing.T) {
	same := func(string) uint64 { return 7 }
	for _, order := range [][]string{{"a", "b"}, {"b", "a"}} {
		r, err := ring.New(ring.Options{Hash: same}, ring.Named(order...)...)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Owner("k"); got != "a" {
			t.Errorf("order %v: owner is %s, want a", order, got)
		}
	}
}

func TestOrderOfMembersDoesNotMatter(t *testing.T) {
	all := names(7)
	one := build(t, all...)
	shuffled := slices.Clone(all)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) {
		shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
	})
	two := build(t, shuffled...)
	for i := range keys {
		if one.Owner(key(i)) != two.Owner(key(i)) {
			t.Fatalf("key %s: %s and %s", key(i), one.Owner(key(i)), two.Owner(key(i)))
		}
	}
}

// These owners are fixed for ever: a change would move the sessions of a fleet
// that is upgraded replica by replica.
func TestPlacementIsStableAcrossVersions(t *testing.T) {
	r := build(t, "dictionary-1", "dictionary-2", "dictionary-3")
	var got []string
	for i := range 12 {
		got = append(got, strings.TrimPrefix(r.Owner(key(i)), "dictionary-"))
	}
	if g := strings.Join(got, ""); g != placement {
		t.Errorf("owners of session-0 … session-11: %s, want %s", g, placement)
	}
}

func TestLoadIsUniform(t *testing.T) {
	const n = 10
	r := build(t, names(n)...)
	load := map[string]int{}
	for i := range keys {
		load[r.Owner(key(i))]++
	}
	var squares, most float64
	for _, name := range r.Members() {
		off := float64(load[name])/(keys/n) - 1
		squares += off * off
		most = max(most, math.Abs(off))
	}
	// σ ≈ 1/√160 = 8 %; three of them for the worst of ten.
	if sd := math.Sqrt(squares / n); sd > 0.12 || most > 0.25 {
		t.Errorf("standard deviation %.3f, worst %.3f of the mean load", sd, most)
	}
}

func TestWeightGivesProportionalShare(t *testing.T) {
	r, err := ring.New(ring.Options{Points: 1000}, ring.Member{Name: "light"}, ring.Member{Name: "heavy", Weight: 3})
	if err != nil {
		t.Fatal(err)
	}
	heavy := 0
	for i := range keys {
		if r.Owner(key(i)) == "heavy" {
			heavy++
		}
	}
	if share := float64(heavy) / keys; math.Abs(share-0.75) > 0.03 {
		t.Errorf("weight 3 of 4 got %.3f of the keys", share)
	}
}

func TestJoinMovesItsShareAndNobodyElses(t *testing.T) {
	for _, n := range []int{1, 2, 3, 10} {
		all := names(n + 1)
		before, after := build(t, all[:n]...), build(t, all...)
		moved := 0
		for i := range keys {
			was, is := before.Owner(key(i)), after.Owner(key(i))
			if was == is {
				continue
			}
			if is != all[n] {
				t.Fatalf("%d members: %s moved from %s to %s, an old member", n, key(i), was, is)
			}
			moved++
		}
		share, want := float64(moved)/keys, 1/float64(n+1)
		if math.Abs(share/want-1) > 0.25 {
			t.Errorf("%d members: a join moved %.4f of the keys, want about %.4f", n, share, want)
		}
	}
}

func TestLeaveMovesOnlyItsOwnToAllOthers(t *testing.T) {
	all := names(5)
	before, after := build(t, all...), build(t, all[:4]...)
	heirs := map[string]int{}
	for i := range keys {
		was, is := before.Owner(key(i)), after.Owner(key(i))
		if was == all[4] {
			heirs[is]++
		} else if was != is {
			t.Fatalf("%s moved from %s, which stayed, to %s", key(i), was, is)
		}
	}
	if len(heirs) != 4 {
		t.Errorf("the keys of the lost member went to %v, not to all four", heirs)
	}
}

func TestWalkNamesTheStandIn(t *testing.T) {
	all := names(5)
	r := build(t, all...)
	for i := range 1000 {
		walk := r.From(key(i))
		gone, _ := walk.Next()
		second, _ := walk.Next()
		without := build(t, slices.Concat(all[:gone], all[gone+1:])...)
		if want := without.Owner(key(i)); all[second] != want {
			t.Fatalf("%s: second on the walk %s, owner without the first %s", key(i), all[second], want)
		}
	}
}

func TestLookupsDoNotAllocate(t *testing.T) {
	r := build(t, names(20)...)
	if n := testing.AllocsPerRun(100, func() {
		r.Owner("k")
		walk := r.From("k")
		for _, ok := walk.Next(); ok; _, ok = walk.Next() {
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkOwner(b *testing.B) {
	for _, n := range []int{3, 30, 300} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := build(b, names(n)...)
			b.ReportAllocs()
			for b.Loop() {
				r.Owner("0190b2c0-7e3a-7c3e-9a53-0242ac120002")
			}
		})
	}
}
