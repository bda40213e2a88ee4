package main

import (
	"cmp"
	"os"
	"path/filepath"
	"strconv"

	"github.com/flotilla-dev/flotilla/infra/local/internal/topology"
)

// documentSearch is a search over documents in three shards of two replicas each. The log has
// a partition for each shard, and is the truth:
//
//	reader → edge (TLS) ─→ search ─→ searchleaf-a ─→ kafka: partition 0
//	                         │  ├──→ searchleaf-b ──↗         1
//	                         │  └──→ searchleaf-c ─↗          2
//	searchfeed, writer ──────┘  └──→ kafka: what is written
//
// Writers reach the roots by their own addresses: the edge lets nobody write.
func documentSearch() []topology.Service {
	return []topology.Service{
		kafka(),
		searchLeaf("searchleaf-a", "documents", 2, 0, 3, "192MiB"),
		searchLeaf("searchleaf-b", "documents", 2, 1, 3, "192MiB"),
		searchLeaf("searchleaf-c", "documents", 2, 2, 3, "192MiB"),
		{
			Name: "search", Package: "./services/search/cmd/search", Count: 2, Needs: []string{"kafka", "searchleaf-a", "searchleaf-b", "searchleaf-c"},
			Env: map[string]string{
				"CHECK_INTERVAL":     checkInterval,
				"SEARCH_LAYOUT_FILE": `{{file "services/search/shards.yaml"}}`,
				"SEARCH_KAFKA":       `{{addr "kafka"}}`,
				"SEARCH_UPSTREAM_A":  `{{endpoints "searchleaf-a"}}`,
				"SEARCH_UPSTREAM_B":  `{{endpoints "searchleaf-b"}}`,
				"SEARCH_UPSTREAM_C":  `{{endpoints "searchleaf-c"}}`,
			},
		},
		searchFeed("searchfeed", "search"),
	}
}

// termSearch is the same search with the words distributed, not the documents: every leaf has
// all of them, from a topic with one partition.
func termSearch() []topology.Service {
	return []topology.Service{
		searchLeaf("searchall", "all-documents", 3, 0, 1, "384MiB"),
		{
			Name: "searchterms", Package: "./services/search/cmd/search", Count: 1, Needs: []string{"kafka", "searchall"},
			Env: map[string]string{
				"CHECK_INTERVAL":      checkInterval,
				"SEARCH_DISTRIBUTION": "terms",
				"SEARCH_LAYOUT_FILE":  `{{file "services/search/terms.yaml"}}`,
				"SEARCH_KAFKA":        `{{addr "kafka"}}`,
				"SEARCH_UPSTREAM_ALL": `{{endpoints "searchall"}}`,
			},
		},
		searchFeed("searchtermsfeed", "searchterms"),
	}
}

// kafka is the log of the documents that are searched.
func kafka() topology.Service {
	return topology.Service{
		Name: "kafka", Package: "./infra/backends/kafka/cmd/kafka", Count: 1, Single: true,
		Env: map[string]string{
			"DRAIN_DELAY":    "0s", // there is no other one to move to
			"KAFKA_DATA_DIR": `{{private "data"}}`,
		},
		Real: apacheKafka(kafkaJars(os.Getenv)),
	}
}

// apacheKafka is the real broker out of a folder of jars. It is asked for the brokers that take
// part: one that has just started knows none, itself not either, and does not serve yet. The
// answer has its length, the number of the question, how long to wait, how many brokers there
// are, and the number of the first, four bytes each; that number ends the line.
func apacheKafka(jars string) *topology.Real {
	return &topology.Real{
		Program: "java", Folder: jars, Bring: "infra/backends/kafka/real/fetch.sh",
		Script: `{{file "infra/backends/kafka/real/run.sh"}}`,
		Args:   []string{jars, `{{private "real"}}`, `127.0.0.1:{{port "data"}}`, `127.0.0.1:{{port "admin"}}`},
		Ping:   "\x00\x00\x00\x17" + "\x00\x03\x00\x07" + "\x00\x00\x00\x01" + "\x00\x08" + "flotilla" + "\x00\x00\x00\x00" + "\x00",
		Pong:   `(?s)^.{4}\x00{3}\x01.{4}\x00{3}\x01\x00{3}\n$`,
	}
}

// kafkaVersion is that of infra/backends/kafka/real/pom.xml.
const kafkaVersion = "4.1.0"

// kafkaJars is where real/fetch.sh brings Apache Kafka: KAFKA_JARS, or a folder in the user's
// cache, as the script finds them.
func kafkaJars(getenv func(string) string) string {
	if told := getenv("KAFKA_JARS"); told != "" {
		return told
	}
	cache := cmp.Or(getenv("XDG_CACHE_HOME"), filepath.Join(getenv("HOME"), ".cache"))
	return filepath.Join(cache, "flotilla", "kafka-"+kafkaVersion)
}

// searchLeaf is a shard: replicas that follow the same partition.
func searchLeaf(name, topic string, count, partition, partitions int, memory string) topology.Service {
	return topology.Service{
		Name: name, Package: "./services/search/cmd/searchleaf", Count: count, Needs: []string{"kafka"},
		Env: map[string]string{
			"SEARCHLEAF_KAFKA":      `{{addr "kafka"}}`,
			"SEARCHLEAF_TOPIC":      topic,
			"SEARCHLEAF_PARTITION":  strconv.Itoa(partition),
			"SEARCHLEAF_PARTITIONS": strconv.Itoa(partitions),
			"SEARCHLEAF_DIR":        `{{private "snapshot"}}`,
			"SEARCHLEAF_MEMORY":     memory,
		},
	}
}

// searchFeed brings in what is searched: it is ready when the corpus is in.
func searchFeed(name, roots string) topology.Service {
	return topology.Service{
		Name: name, Package: "./services/search/cmd/searchfeed", Count: 1, Single: true, Needs: []string{roots},
		Env: map[string]string{
			"CHECK_INTERVAL":    checkInterval,
			"SEARCHFEED_CORPUS": `file:{{file "services/search/corpus/*.jsonl.gz"}}`,
			"SEARCHFEED_SEARCH": `{{endpoints "` + roots + `"}}`,
		},
	}
}
