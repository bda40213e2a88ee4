package wiring

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The entry point of the image may have read the password's file, and forgotten its name,
// when it comes to the script. An empty password would work on both sides, and be none.
func TestTheDatabasesFollowEachOtherByPassword(t *testing.T) {
	script := func(environ ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "bash", "-c", `docker_process_sql() { cat; }; . ../kubernetes/base/mysql/replicate.sh`)
		cmd.Env = append([]string{"PATH=/usr/bin:/bin", "MYSQL_PEER=mysql-b:3306"}, environ...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("0123abcd"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, given := range []string{"MARIADB_PASSWORD=0123abcd", "MARIADB_PASSWORD_FILE=" + file} {
		out, err := script(given)
		if err != nil || strings.Count(out, "'0123abcd'") != 2 || !strings.Contains(out, "MASTER_HOST = 'mysql-b', MASTER_PORT = 3306") {
			t.Errorf("%s: %v\n%s", given, err, out)
		}
	}
	if out, err := script(); err == nil {
		t.Errorf("without a password it says:\n%s", out)
	}
}
