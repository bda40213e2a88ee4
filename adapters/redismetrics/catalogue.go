package redismetrics

import (
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// catalogue has a description of every metric, made once.
type catalogue struct {
	fields, cluster []described
	labelled        map[string]*prometheus.Desc
}

// described is a field with its description.
type described struct {
	field
	desc *prometheus.Desc
	kind prometheus.ValueType
}

// labelled metrics, and those that are no field of INFO. The first word of a
// text is the metric, then come its labels in parentheses.
func families() map[string]family {
	cmd, db, key := []string{"cmd"}, []string{"db"}, []string{"db", "key"}
	replica := []string{"slave_ip", "slave_port", "slave_state"}
	master := []string{"master_host", "master_port"}
	return map[string]family{
		"up":                 {"Whether the Redis answers.", nil},
		"instance_info":      {"What the server is.", []string{"role", "redis_version", "redis_build_id", "redis_mode", "os", "maxmemory_policy", "tcp_port", "run_id", "process_id"}},
		"start_time_seconds": {"When the server started.", nil},

		"commands_total":                       {"Calls of a command.", cmd},
		"commands_duration_seconds_total":      {"Time spent in a command.", cmd},
		"commands_rejected_calls_total":        {"Calls that were refused before they were executed.", cmd},
		"commands_failed_calls_total":          {"Calls that failed while they were executed.", cmd},
		"latency_percentiles_usec":             {"Percentiles of a command's latency in microseconds.", cmd},
		"commands_latencies_usec":              {"Latencies of a command in microseconds.", cmd},
		"errors_total":                         {"Errors that were answered, by their first word.", []string{"err"}},
		"latency_spike_last":                   {"When the last latency spike was.", []string{"event_name"}},
		"latency_spike_duration_seconds":       {"How long the last latency spike was.", []string{"event_name"}},
		"slowlog_length":                       {"Entries in the slow log.", nil},
		"slowlog_last_id":                      {"Number of the last entry in the slow log.", nil},
		"last_slow_execution_duration_seconds": {"How long the command of that entry took.", nil},

		"connected_slave_offset_bytes": {"Replication offset of a replica.", replica},
		"connected_slave_lag_seconds":  {"Seconds since a replica was heard of.", replica},
		"master_link_up":               {"Whether the replica has its master.", master},
		"master_last_io_seconds_ago":   {"Seconds since the master was heard of.", master},
		"master_sync_in_progress":      {"Whether the replica is being filled.", master},
		"slave_repl_offset":            {"Replication offset of this replica.", master},
		"slave_info":                   {"What the replica is.", []string{"master_host", "master_port", "read_only"}},

		"db_keys":            {"Keys in a database.", db},
		"db_keys_expiring":   {"Keys in a database that will expire.", db},
		"db_avg_ttl_seconds": {"Average time that expiring keys have left.", db},

		"key_size":            {"Length or number of elements of a key.", key},
		"key_value":           {"Value of a key that is a number.", key},
		"key_value_as_string": {"1, labelled with the value of a key that is none.", []string{"db", "key", "val"}},
		"keys_count":          {"Keys that match a pattern.", key},
		"last_key_groups_scrape_duration_milliseconds": {"Time for grouping keys, which is not done here: 0.", nil},

		"config_maxmemory":  {"Limit of the memory by the configuration.", nil},
		"config_maxclients": {"Limit of the connections by the configuration.", nil},
		"config_io_threads": {"Threads for input and output by the configuration.", nil},
		"config_value":      {"A value of the configuration that is a number.", []string{"key"}},
		"config_key_value":  {"1, labelled with a value of the configuration.", []string{"key", "value"}},

		"connected_clients_details": {"1, labelled with what is known of a client.", []string{"name", "created_at", "idle_since", "flags", "db", "omem", "cmd", "host"}},

		"exporter_build_info":                       {"What this program is.", []string{"version", "commit_sha", "build_date", "golang_version"}},
		"exporter_last_scrape_error":                {"Whether this scrape failed, labelled with why.", []string{"err"}},
		"exporter_last_scrape_duration_seconds":     {"How long this scrape took.", nil},
		"exporter_last_scrape_connect_time_seconds": {"How long it took to connect.", nil},
		"exporter_scrapes_total":                    {"Scrapes by this program.", nil},
		"exporter_scrape_duration_seconds":          {"How long the scrapes by this program took.", nil},
		"target_scrape_request_errors_total":        {"Requests for targets that were refused.", nil},
	}
}

type family struct {
	help   string
	labels []string
}

const namespace = "redis_"

func newCatalogue() *catalogue {
	c := &catalogue{labelled: map[string]*prometheus.Desc{}}
	describe := func(f field) described {
		kind := prometheus.GaugeValue
		if f.counter {
			kind = prometheus.CounterValue
		}
		return described{f, prometheus.NewDesc(namespace+f.metric, f.help, nil, nil), kind}
	}
	for _, f := range fields() {
		c.fields = append(c.fields, describe(f))
	}
	for _, f := range clusterFields() {
		c.cluster = append(c.cluster, describe(f))
	}
	all := families()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c.labelled[name] = prometheus.NewDesc(namespace+name, all[name].help, all[name].labels, nil)
	}
	return c
}
