// Package endtoend has no code but its tests: root, leaves and Kafka as they are in a fleet, as processes that are killed.
package endtoend
