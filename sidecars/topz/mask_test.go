package topz

import (
	"strings"
	"testing"
)

func TestWhatLooksLikeASecretIsHidden(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"app --password=a b":                "app --password=*** b",
		"app -db-password a b":              "app -db-password *** b",
		"env API_KEY=a app":                 "env API_KEY=*** app",
		"app --token --verbose":             "app --token --verbose",
		"app --token=a b":                   "app --token=*** b",
		"curl https://u:p@host/x":           "curl https://u:***@host/x",
		"app --port=80 passage":             "app --port=80 passage",
		"psql postgres://u@host/x?a=b:c@d":  "psql postgres://u@host/x?a=b:c@d",
		"app --private-key-file /etc/k.pem": "app --private-key-file ***",
	} {
		if got := strings.Join(masked(strings.Fields(line)), " "); got != want {
			t.Errorf("%q is shown as %q, want %q", line, got, want)
		}
	}
}

func TestALongCommandIsCut(t *testing.T) {
	t.Parallel()
	line := printable([]string{strings.Repeat("ä", maxCommand), "\xff"})
	if len(line) > maxCommand+len("…") || !strings.HasSuffix(line, "ä…") {
		t.Errorf("%d bytes, ends with %q", len(line), line[len(line)-5:])
	}
}

func FuzzMasked(f *testing.F) {
	f.Add("--password=x\x00y")
	f.Fuzz(func(t *testing.T, text string) {
		words := strings.Split(text, "\x00")
		if got := masked(words); len(got) != len(words) {
			t.Errorf("%q became %q", words, got)
		}
	})
}
