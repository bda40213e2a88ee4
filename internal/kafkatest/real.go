package kafkatest

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
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

// Jars is where the jars of the real broker are, or would be: KAFKA_JARS, or a folder in the
// user's cache.
func Jars() (string, error) {
	if dir := os.Getenv("KAFKA_JARS"); dir != "" {
		return dir, nil
	}
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "flotilla", "kafka-"+Version), err
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
	file, err := properties(t.TempDir(), b.Addr, nettest.Refuse(t))
	if err != nil {
		t.Fatal(err)
	}
	format := javaCommand(java, jars, "kafka.tools.StorageTool", "format", "--cluster-id", "ZmxvdGlsbGEtdGVzdHMtMQ", "--config", file)
	if out, err := format.CombinedOutput(); err != nil {
		t.Fatalf("prepare the data of Apache Kafka: %v\n%s", err, out)
	}
	b.command = func() *exec.Cmd { return javaCommand(java, jars, "kafka.Kafka", file) }
	return run(t, b)
}

// javaCommand runs a class of Kafka's in little memory, and starts quickly: a test does not
// live long enough for the second compiler.
func javaCommand(java, jars, class string, args ...string) *exec.Cmd {
	options := []string{"-Xmx256m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-XX:-UsePerfData",
		"-Dlog4j2.configurationFile=" + filepath.Join(jars, "none"), "-Dlog4j2.level=WARN", "-Dlog4j2.StatusLogger.level=OFF",
		"-cp", filepath.Join(jars, "*"), class}
	return exec.Command(java, append(options, args...)...)
}

// properties writes the configuration of one node with its data in dir, and returns its path.
func properties(dir, addr, controller string) (string, error) {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return "", err
	}
	file := filepath.Join(dir, "server.properties")
	content := fmt.Sprintf(`process.roles=broker,controller
node.id=1
controller.quorum.voters=1@%[2]s
listeners=PLAINTEXT://%[1]s,CONTROLLER://%[2]s
advertised.listeners=PLAINTEXT://%[1]s
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=%[3]s
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
num.io.threads=2
num.network.threads=1
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
log.cleaner.dedupe.buffer.size=8388608
log.cleaner.backoff.ms=200
controlled.shutdown.enable=false
`, addr, controller, filepath.Join(dir, "data"))
	return file, os.WriteFile(file, []byte(content), 0o600)
}
