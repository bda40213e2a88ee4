// Package style holds the tree together: its tests walk every module of the
// workspace and check the rules that a compiler does not know. It has no other
// code than the walk itself; run it with
//
//	go test ./infra/style
package style
