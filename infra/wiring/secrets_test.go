package wiring

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// In compose all our containers run as one user, so that what keeps a key from others is
// that they do not mount it.
func TestKeysAndSecretsAreMountedByThoseWhoUseThem(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, composeFileName))
	if err != nil {
		t.Fatal(err)
	}
	var file composeFile
	if err := yaml.Unmarshal([]byte(interpolate(string(text))), &file); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for name, s := range file.Services {
		if name == "pki" {
			continue // makes them
		}
		pod := strings.TrimSuffix(strings.TrimPrefix(s.NetworkMode, "service:"), "-"+podStage)
		for _, v := range s.Volumes {
			source, rest, _ := strings.Cut(v, ":")
			target, _, _ := strings.Cut(rest, ":")
			owner, key := strings.CutPrefix(source, "certificates-")
			if !key && !strings.HasPrefix(source, "secrets-") {
				continue
			}
			seen++
			if key && owner != "authorities" && owner != s.Build.Target && owner != pod {
				t.Errorf("%s has the key of %s: who only checks certificates wants certificates-authorities", name, owner)
			}
			used := false
			for _, value := range s.Environment {
				used = used || value == target || strings.HasPrefix(value, target+"/")
			}
			if !used {
				t.Errorf("%s mounts %s at %s, and no variable leads there", name, source, target)
			}
		}
	}
	if seen < 12 {
		t.Errorf("only %d mounts were looked at", seen)
	}
}
