package notify

import (
	"os"
	"testing"
	"time"
)

func TestTheKernelsLineIsRead(t *testing.T) {
	t.Parallel()
	p, err := look(os.Getpid())
	if err != nil || p.pid != os.Getpid() || p.parent != os.Getppid() || p.started <= 0 || p.started > sinceBoot() {
		t.Errorf("%+v, %v", p, err)
	}
	tail := " S 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 4 0 12345 1 2"
	if p, err := parseStat("42 (a) b (c))" + tail); err != nil || p.name != "a) b (c)" || p.parent != 7 || p.started != 123450*time.Millisecond {
		t.Errorf("%+v, %v", p, err)
	}
	for _, text := range []string{"", "42", "42 (a", "42 (a) S", "x (a)" + tail, "42 (a) Z" + tail[2:]} {
		if p, err := parseStat(text); err == nil {
			t.Errorf("%q is %+v", text, p)
		}
	}
}

func FuzzStat(f *testing.F) {
	f.Add("42 (a) S 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 4 0 12345 1 2")
	f.Add("42 (a) Z 7")
	f.Add("1 ()) S")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := parseStat(text); err == nil && p.started < 0 {
			t.Errorf("%q is %+v", text, p)
		}
	})
}
