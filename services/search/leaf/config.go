package leaf

import (
	"regexp"
	"runtime"
	"time"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/services/search/doclog"
)

// Program describes searchleaf to operators and to the wiring test.
var Program = process.Program{
	Name:  "searchleaf",
	About: "keeps the index of one shard of a log of documents, and answers for it",
	Calls: []string{"Kafka: TCP"},
}

// Config is the configuration of a leaf.
type Config struct {
	process.Contract
	Kafka       []string      `env:"SEARCHLEAF_KAFKA,required,notEmpty" doc:"brokers of the log: host:port, comma-separated"`
	Topic       string        `env:"SEARCHLEAF_TOPIC" envDefault:"documents" doc:"topic of the log"`
	Partition   int32         `env:"SEARCHLEAF_PARTITION" envDefault:"0" doc:"partition that this leaf follows: its shard"`
	Partitions  int32         `env:"SEARCHLEAF_PARTITIONS" envDefault:"3" doc:"partitions of the topic, which is made with so many where it is missing; the leaf ends where there are others"`
	Dir         string        `env:"SEARCHLEAF_DIR" doc:"folder for the snapshot; empty: none, and the partition is read from its beginning at each start"`
	Versions    time.Duration `env:"SEARCHLEAF_VERSIONS" envDefault:"1m" doc:"how long a state can be asked for after it was the newest"`
	Concurrency int           `env:"SEARCHLEAF_CONCURRENCY" envDefault:"0" doc:"requests that are worked on at a time; 64 times as many wait, more are refused; 0: twice the processors"`
	Memory      config.Size   `env:"SEARCHLEAF_MEMORY" envDefault:"1GiB" doc:"about how large the index may be; past it the leaf stops to follow and is not ready; 0B: no bound"`
	Every       time.Duration `env:"SEARCHLEAF_SNAPSHOT_INTERVAL" envDefault:"1m" doc:"how often a snapshot is written while there are changes"`
	Changes     int           `env:"SEARCHLEAF_SNAPSHOT_CHANGES" envDefault:"50000" doc:"changes after which a snapshot is written at once"`
	Timeout     time.Duration `env:"SEARCHLEAF_KAFKA_TIMEOUT" envDefault:"3s" doc:"for one request to a broker"`
}

// topics are the names that Kafka takes, but for those of dots alone.
var topics = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,248}$`)

// validate finds what a type cannot express.
func (c Config) validate() error {
	var wrong config.Error
	if err := doclog.Check(c.Kafka); err != nil {
		wrong.Add("SEARCHLEAF_KAFKA", "%v", err)
	}
	wrong.Want(topics.MatchString(c.Topic), "SEARCHLEAF_TOPIC", "want 1 to 249 letters, digits and . _ -")
	wrong.Want(c.Partitions >= 1 && c.Partitions <= doclog.MaxShards, "SEARCHLEAF_PARTITIONS", "want 1 to %d", doclog.MaxShards)
	wrong.Want(c.Partition >= 0 && c.Partition < c.Partitions, "SEARCHLEAF_PARTITION", "want 0 to one less than SEARCHLEAF_PARTITIONS")
	wrong.Want(c.Versions >= 0 && c.Versions <= time.Hour, "SEARCHLEAF_VERSIONS", "want 0s to 1h")
	wrong.Want(c.Concurrency >= 0 && c.Concurrency <= 10_000, "SEARCHLEAF_CONCURRENCY", "want 0 to 10000")
	wrong.Want(c.Every >= 100*time.Millisecond, "SEARCHLEAF_SNAPSHOT_INTERVAL", "want at least 100ms")
	wrong.Want(c.Changes >= 1, "SEARCHLEAF_SNAPSHOT_CHANGES", "want at least 1")
	wrong.Want(c.Timeout >= 100*time.Millisecond && c.Timeout <= time.Minute, "SEARCHLEAF_KAFKA_TIMEOUT", "want 100ms to 1m")
	return wrong.Err()
}

// slots is how many requests are worked on at a time.
func (c Config) slots() int {
	if c.Concurrency > 0 {
		return c.Concurrency
	}
	return 2 * runtime.GOMAXPROCS(0)
}
