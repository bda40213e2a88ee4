package kafkatest

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/realserver"
)

// untried is what is not known without the real broker.
const untried = "the embedded one is NOT compared with it here"

// Version is that of the real broker; infra/backends/kafka/real/pom.xml says the same.
const Version = "4.1.0"

// Jars is where the jars of the real broker are, or would be, as fetch.sh says: KAFKA_JARS, or a
// folder in the user's cache.
func Jars() (string, error) {
	if dir := os.Getenv("KAFKA_JARS"); dir != "" {
		return dir, nil
	}
	if cache := os.Getenv("XDG_CACHE_HOME"); cache != "" {
		return filepath.Join(cache, "flotilla", "kafka-"+Version), nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".cache", "flotilla", "kafka-"+Version), err
}

// Real starts Apache Kafka for a test: one process that is controller and broker. Where Java
// or the jars are missing the test is skipped, or fails with REAL_SERVERS=required.
func Real(t testing.TB) *Broker {
	t.Helper()
	java := realserver.Find(t, "java", untried)
	jars, err := Jars()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(jars); errors.Is(err, fs.ErrNotExist) {
		realserver.Missing(t, "Apache Kafka (infra/backends/kafka/real/fetch.sh brings it)", untried)
	}
	b := &Broker{Addr: nettest.Refuse(t), Real: true}
	scripts, err := folder("infra", "backends", "kafka", "real")
	if err != nil {
		t.Fatal(err)
	}
	controller, dir := nettest.Refuse(t), t.TempDir()
	b.command = func() *exec.Cmd {
		return exec.Command("sh", filepath.Join(scripts, "run.sh"), java, jars, dir, b.Addr, controller)
	}
	return run(t, b)
}
