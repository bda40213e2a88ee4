package machine

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestStatIsReadFromTheLastParenthesis(t *testing.T) {
	line := "4242 (a) b (c) S 17 4242 4242 0 -1 4194560 100 200 0 0 31 9 500 60 20 0 5 0 987654 1 2 3"
	got, err := parseStat([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	want := stat{pid: 4242, parent: 17, state: 'S', own: 400 * time.Millisecond, reaped: 5600 * time.Millisecond, started: 987654}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestABadStatIsAnErrorNotAPanic(t *testing.T) {
	for _, line := range []string{"", "1", "x (y) S", "1 (y) S 1 2", "1 (y S", "1 (y) S a b c d e f g h i j k l m n o p q r s t"} {
		if _, err := parseStat([]byte(line)); err == nil {
			t.Errorf("%q: no error", line)
		}
	}
}

func TestAFamilyIsTheDescendantsOfOneProcess(t *testing.T) {
	all := map[int]stat{1: {pid: 1}, 2: {pid: 2, parent: 1}, 3: {pid: 3, parent: 2}, 4: {pid: 4, parent: 1}, 5: {pid: 5, parent: 3}}
	if got := family(all, 2); len(got) != 3 || got[0] != 2 || got[1] != 3 || got[2] != 5 {
		t.Errorf("%v", got)
	}
	if got := family(all, 9); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestAPinnedChildHasOneCPUAndTheParentKeepsAll(t *testing.T) {
	before := CPUs()
	if len(before) == 0 {
		t.Skipf("SKIPPED: %v", ErrUnsupported)
	}
	out := new(strings.Builder)
	cmd := exec.Command("cat", "/proc/self/status")
	cmd.Stdout = out
	if err := Start(cmd, before[0]); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "Cpus_allowed_list:\t"+string(rune('0'+before[0]))+"\n") {
		t.Errorf("not pinned: %s", out)
	}
	if after := CPUs(); len(after) != len(before) {
		t.Errorf("had %v, have %v", before, after)
	}
}

func TestOwnCPUAndMemoryAreTold(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skipf("SKIPPED: %v", ErrUnsupported)
	}
	begin, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	x := 1.0
	for now := begin; now < begin+3*tick; now, _ = CPU(os.Getpid()) {
		for range 1_000_000 {
			x *= 1.0000001
		}
	}
	if pss, err := PSS(os.Getpid()); err != nil || pss < 1<<20 {
		t.Errorf("%d bytes, %v (%v)", pss, err, x)
	}
	if _, err := CPU(1 << 30); err == nil {
		t.Error("a process that is not there has no CPU")
	}
}

func TestTheMachineIsDescribed(t *testing.T) {
	f := Describe(t.Context())
	if f.Cores < 1 || f.Go == "" || f.OS == "" {
		t.Errorf("%+v", f)
	}
}

func TestWait(t *testing.T) {
	t.Run("it takes as long as it is told", func(t *testing.T) {
		began := time.Now()
		if err := Wait(t.Context(), 20*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 20*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
	t.Run("no time is over at once", func(t *testing.T) {
		for _, d := range []time.Duration{0, -time.Hour} {
			if err := Wait(t.Context(), d); err != nil {
				t.Errorf("%v: %v", d, err)
			}
		}
	})
	t.Run("it ends with its context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- Wait(ctx, time.Hour) }()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
		if err := Wait(ctx, time.Hour); !errors.Is(err, context.Canceled) {
			t.Errorf("begun after its end: %v", err)
		}
	})
}
