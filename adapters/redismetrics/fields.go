package redismetrics

import "slices"

// field is a field of INFO that is a metric as it stands.
type field struct {
	info    string
	metric  string // without redis_
	counter bool
	scale   float64 // 0: as it is
	help    string
}

func gauge(info, metric, help string) field { return field{info: info, metric: metric, help: help} }

func counter(info, metric, help string) field {
	return field{info: info, metric: metric, counter: true, help: help}
}

// fields lists them by section of INFO. The names and types are those of
// redis_exporter, the odd ones too: dashboards know them.
func fields() []field {
	return slices.Concat(serverFields(), memoryFields(), persistenceFields(), statsFields(), replicationFields())
}

func serverFields() []field {
	return []field{
		// Server
		gauge("uptime_in_seconds", "uptime_in_seconds", "Seconds since the server started."),
		gauge("process_id", "process_id", "Number of the server's process."),
		gauge("io_threads_active", "io_threads_active", "Whether the threads for input and output are at work."),
		// Clients
		gauge("connected_clients", "connected_clients", "Connections of clients, those of replicas left out."),
		gauge("cluster_connections", "cluster_connections", "Sockets of the cluster bus, about."),
		gauge("client_recent_max_input_buffer", "client_recent_max_input_buffer_bytes", "Largest input buffer of a client."),
		gauge("client_recent_max_output_buffer", "client_recent_max_output_buffer_bytes", "Largest output buffer of a client."),
		gauge("blocked_clients", "blocked_clients", "Clients that wait in a blocking command."),
		gauge("tracking_clients", "tracking_clients", "Clients that are told of changes to keys they have cached."),
		gauge("clients_in_timeout_table", "clients_in_timeout_table", "Clients whose blocking command has a time limit."),
		// CPU
		counter("used_cpu_sys", "cpu_sys_seconds_total", "Processor time in the kernel."),
		counter("used_cpu_user", "cpu_user_seconds_total", "Processor time of the server's own code."),
		counter("used_cpu_sys_children", "cpu_sys_children_seconds_total", "Processor time of its children in the kernel."),
		counter("used_cpu_user_children", "cpu_user_children_seconds_total", "Processor time of its children's own code."),
		counter("used_cpu_sys_main_thread", "cpu_sys_main_thread_seconds_total", "Processor time of its main thread in the kernel."),
		counter("used_cpu_user_main_thread", "cpu_user_main_thread_seconds_total", "Processor time of its main thread's own code."),
		// Cluster
		gauge("cluster_enabled", "cluster_enabled", "Whether the server is part of a cluster."),
	}
}

func memoryFields() []field {
	return []field{
		gauge("allocator_active", "allocator_active_bytes", "Bytes in the allocator's active pages."),
		gauge("allocator_allocated", "allocator_allocated_bytes", "Bytes that were allocated from the allocator."),
		gauge("allocator_resident", "allocator_resident_bytes", "Resident bytes of the allocator."),
		gauge("allocator_frag_ratio", "allocator_frag_ratio", "Active to allocated bytes: external fragmentation."),
		gauge("allocator_frag_bytes", "allocator_frag_bytes", "Active bytes beyond the allocated ones."),
		gauge("allocator_rss_ratio", "allocator_rss_ratio", "Resident to active bytes."),
		gauge("allocator_rss_bytes", "allocator_rss_bytes", "Resident bytes beyond the active ones."),
		gauge("used_memory", "memory_used_bytes", "Bytes that the server has allocated."),
		gauge("used_memory_rss", "memory_used_rss_bytes", "Bytes that the system gave the server."),
		gauge("used_memory_peak", "memory_used_peak_bytes", "Most bytes that the server had allocated."),
		gauge("used_memory_lua", "memory_used_lua_bytes", "Bytes of the engine of scripts."),
		gauge("used_memory_overhead", "memory_used_overhead_bytes", "Bytes of buffers and of what manages the data."),
		gauge("used_memory_startup", "memory_used_startup_bytes", "Bytes that the server had at its start."),
		gauge("used_memory_dataset", "memory_used_dataset_bytes", "Bytes of the data."),
		gauge("used_memory_scripts", "memory_used_scripts_bytes", "Bytes of cached scripts."),
		gauge("maxmemory", "memory_max_bytes", "Limit of the memory; 0 is none."),
		gauge("number_of_cached_scripts", "number_of_cached_scripts", "Scripts that are cached."),
		gauge("mem_fragmentation_ratio", "mem_fragmentation_ratio", "Resident to allocated bytes."),
		gauge("mem_fragmentation_bytes", "mem_fragmentation_bytes", "Resident bytes beyond the allocated ones."),
		gauge("mem_clients_slaves", "mem_clients_slaves", "Bytes of the buffers of replicas."),
		gauge("mem_clients_normal", "mem_clients_normal", "Bytes of the buffers of clients."),
		gauge("mem_not_counted_for_evict", "mem_not_counted_for_eviction_bytes", "Bytes that the limit does not count."),
		gauge("lazyfree_pending_objects", "lazyfree_pending_objects", "Objects that wait to be freed in the background."),
		gauge("active_defrag_running", "active_defrag_running", "How busy active defragmentation is, in percent of a CPU."),
		gauge("total_system_memory", "total_system_memory_bytes", "Memory of the machine."),
	}
}

func persistenceFields() []field {
	return []field{
		gauge("loading", "loading_dump_file", "Whether data is being loaded."),
		gauge("rdb_changes_since_last_save", "rdb_changes_since_last_save", "Changes since the last snapshot."),
		gauge("rdb_bgsave_in_progress", "rdb_bgsave_in_progress", "Whether a snapshot is being made."),
		gauge("rdb_last_save_time", "rdb_last_save_timestamp_seconds", "When the last snapshot was made."),
		gauge("rdb_last_bgsave_status", "rdb_last_bgsave_status", "Whether the last snapshot succeeded."),
		gauge("rdb_last_bgsave_time_sec", "rdb_last_bgsave_duration_sec", "Seconds that the last snapshot took."),
		gauge("rdb_current_bgsave_time_sec", "rdb_current_bgsave_duration_sec", "Seconds that the present snapshot has taken."),
		gauge("rdb_last_cow_size", "rdb_last_cow_size_bytes", "Bytes copied on write during the last snapshot."),
		gauge("aof_enabled", "aof_enabled", "Whether the append-only file is on."),
		gauge("aof_rewrite_in_progress", "aof_rewrite_in_progress", "Whether the append-only file is being rewritten."),
		gauge("aof_rewrite_scheduled", "aof_rewrite_scheduled", "Whether a rewrite follows the present snapshot."),
		gauge("aof_last_rewrite_time_sec", "aof_last_rewrite_duration_sec", "Seconds that the last rewrite took."),
		gauge("aof_current_rewrite_time_sec", "aof_current_rewrite_duration_sec", "Seconds that the present rewrite has taken."),
		gauge("aof_last_cow_size", "aof_last_cow_size_bytes", "Bytes copied on write during the last rewrite."),
		gauge("aof_current_size", "aof_current_size_bytes", "Bytes of the append-only file."),
		gauge("aof_base_size", "aof_base_size_bytes", "Bytes of it after the last start or rewrite."),
		gauge("aof_pending_rewrite", "aof_pending_rewrite", "Whether a rewrite waits."),
		gauge("aof_buffer_length", "aof_buffer_length", "Bytes in the buffer of the append-only file."),
		gauge("aof_rewrite_buffer_length", "aof_rewrite_buffer_length", "Bytes in the buffer of its rewrite."),
		gauge("aof_pending_bio_fsync", "aof_pending_bio_fsync", "Syncs that wait in the background."),
		gauge("aof_delayed_fsync", "aof_delayed_fsync", "Syncs that were late."),
		gauge("aof_last_bgrewrite_status", "aof_last_bgrewrite_status", "Whether the last rewrite succeeded."),
		gauge("aof_last_write_status", "aof_last_write_status", "Whether the last write succeeded."),
		gauge("module_fork_in_progress", "module_fork_in_progress", "Whether a fork of a module is at work."),
		gauge("module_fork_last_cow_size", "module_fork_last_cow_size", "Bytes copied on write during a module's last fork."),
	}
}

func statsFields() []field {
	return []field{
		counter("total_connections_received", "connections_received_total", "Connections that were accepted."),
		counter("total_commands_processed", "commands_processed_total", "Commands that were executed."),
		counter("rejected_connections", "rejected_connections_total", "Connections that were refused because of the limit."),
		counter("total_net_input_bytes", "net_input_bytes_total", "Bytes that were read from the network."),
		counter("total_net_output_bytes", "net_output_bytes_total", "Bytes that were written to the network."),
		counter("expired_keys", "expired_keys_total", "Keys that have expired."),
		counter("evicted_keys", "evicted_keys_total", "Keys that were evicted because of the limit of memory."),
		counter("keyspace_hits", "keyspace_hits_total", "Look-ups that found their key."),
		counter("keyspace_misses", "keyspace_misses_total", "Look-ups that did not."),
		gauge("expired_stale_perc", "expired_stale_percentage", "Keys that have expired and are there still, in percent, estimated."),
		gauge("expired_time_cap_reached_count", "expired_time_cap_reached_total", "How often a cycle of expiry ended by its time limit."),
		gauge("pubsub_channels", "pubsub_channels", "Channels with subscribers."),
		gauge("pubsub_patterns", "pubsub_patterns", "Patterns with subscribers."),
		{info: "latest_fork_usec", metric: "latest_fork_seconds", scale: microseconds, help: "How long the last fork took."},
		gauge("migrate_cached_sockets", "migrate_cached_sockets_total", "Sockets that are open for MIGRATE."),
		gauge("active_defrag_hits", "defrag_hits", "Values that active defragmentation has moved."),
		gauge("active_defrag_misses", "defrag_misses", "Values whose move it gave up."),
		gauge("active_defrag_key_hits", "defrag_key_hits", "Keys that it has defragmented."),
		gauge("active_defrag_key_misses", "defrag_key_misses", "Keys that it has skipped."),
		gauge("tracking_total_keys", "tracking_total_keys", "Keys that are tracked for clients."),
		gauge("tracking_total_items", "tracking_total_items", "Keys times clients that are tracked."),
		gauge("tracking_total_prefixes", "tracking_total_prefixes", "Prefixes that are tracked."),
		counter("unexpected_error_replies", "unexpected_error_replies", "Errors that the server did not expect of itself."),
		counter("total_error_replies", "total_error_replies", "Errors that were answered."),
		counter("dump_payload_sanitizations", "dump_payload_sanitizations", "Deep checks of payloads of RESTORE."),
		counter("total_reads_processed", "total_reads_processed", "Reads from sockets."),
		counter("total_writes_processed", "total_writes_processed", "Writes to sockets."),
		counter("io_threaded_reads_processed", "io_threaded_reads_processed", "Reads by the threads."),
		counter("io_threaded_writes_processed", "io_threaded_writes_processed", "Writes by the threads."),
	}
}

func replicationFields() []field {
	return []field{
		gauge("connected_slaves", "connected_slaves", "Replicas that are connected."),
		gauge("repl_backlog_size", "replication_backlog_bytes", "Size of the replication backlog."),
		gauge("repl_backlog_active", "repl_backlog_is_active", "Whether there is a backlog."),
		gauge("repl_backlog_first_byte_offset", "repl_backlog_first_byte_offset", "Offset of the backlog's first byte."),
		gauge("repl_backlog_histlen", "repl_backlog_history_bytes", "Bytes in the backlog."),
		gauge("master_repl_offset", "master_repl_offset", "Replication offset of the master."),
		gauge("second_repl_offset", "second_repl_offset", "Offset up to which the second replication ID is good."),
		gauge("slave_expires_tracked_keys", "slave_expires_tracked_keys", "Keys whose expiry a writable replica tracks."),
		gauge("slave_priority", "slave_priority", "Priority of the replica in a failover."),
		gauge("sync_full", "replica_resyncs_full", "Full resynchronisations with replicas."),
		gauge("sync_partial_ok", "replica_partial_resync_accepted", "Partial resynchronisations that were granted."),
		gauge("sync_partial_err", "replica_partial_resync_denied", "Partial resynchronisations that were refused."),
	}
}

// clusterFields are those of CLUSTER INFO.
func clusterFields() []field {
	return []field{
		{info: "cluster_state", metric: "cluster_state", help: "Whether the cluster serves requests."},
		{info: "cluster_slots_assigned", metric: "cluster_slots_assigned", help: "Slots that have a node."},
		{info: "cluster_slots_ok", metric: "cluster_slots_ok", help: "Slots whose node is there."},
		{info: "cluster_slots_pfail", metric: "cluster_slots_pfail", help: "Slots whose node may be away."},
		{info: "cluster_slots_fail", metric: "cluster_slots_fail", help: "Slots whose node is away."},
		{info: "cluster_known_nodes", metric: "cluster_known_nodes", help: "Nodes that are known."},
		{info: "cluster_size", metric: "cluster_size", help: "Masters with slots."},
		{info: "cluster_current_epoch", metric: "cluster_current_epoch", help: "Epoch of the cluster."},
		{info: "cluster_my_epoch", metric: "cluster_my_epoch", help: "Epoch of the node's configuration."},
		{info: "cluster_stats_messages_sent", metric: "cluster_messages_sent_total", help: "Messages that the node has sent."},
		{info: "cluster_stats_messages_received", metric: "cluster_messages_received_total", help: "Messages that the node has received."},
	}
}
