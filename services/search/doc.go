// Package search is a search engine for documents that is scattered over leaves and gathered by a root.
package search
