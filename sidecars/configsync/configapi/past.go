package configapi

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// versions lists the versions of a configuration that are kept, newest first.
func (s *store) versions(ctx context.Context, name string) ([]Version, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	resp, err := s.etcd.Txn(ctx).Then(
		clientv3.OpGet(s.key(name), clientv3.WithCountOnly()),
		clientv3.OpGet(s.historyKey(name, "meta", 0), clientv3.WithPrefix(), clientv3.WithSort(clientv3.SortByKey, clientv3.SortDescend), clientv3.WithLimit(int64(s.history))),
	).Commit()
	if err != nil {
		return nil, fmt.Errorf("list versions: %w", err)
	}
	if resp.Responses[0].GetResponseRange().Count == 0 {
		return nil, errAbsent
	}
	all := []Version{}
	for _, kv := range resp.Responses[1].GetResponseRange().Kvs {
		v, err := parseRecord(name, kv)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// past returns a version as it was.
func (s *store) past(ctx context.Context, name string, number int64) (document, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	resp, err := s.etcd.Txn(ctx).Then(
		clientv3.OpGet(s.key(name), clientv3.WithCountOnly()),
		clientv3.OpGet(s.historyKey(name, "meta", number)),
		clientv3.OpGet(s.historyKey(name, "data", number)),
	).Commit()
	if err != nil {
		return document{}, fmt.Errorf("read version: %w", err)
	}
	if resp.Responses[0].GetResponseRange().Count == 0 {
		return document{}, errAbsent
	}
	meta, data := resp.Responses[1].GetResponseRange().Kvs, resp.Responses[2].GetResponseRange().Kvs
	if len(meta) == 0 || len(data) == 0 {
		return document{}, errNoRecord
	}
	v, err := parseRecord(name, meta[0])
	return document{Version: v, content: data[0].Value}, err
}

// Entry is a configuration in the list of all.
type Entry struct {
	Name    string `json:"name"`
	Version int64  `json:"version"`
	Href    string `json:"href"`
}

// list returns the configurations whose names begin with a prefix, sorted.
func (s *store) list(ctx context.Context, prefix string) ([]Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	resp, err := s.etcd.Get(ctx, s.prefix+prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly(), clientv3.WithLimit(int64(s.maxNames)))
	if err != nil {
		return nil, fmt.Errorf("list configurations: %w", err)
	}
	all := []Entry{}
	for _, kv := range resp.Kvs {
		name := string(kv.Key[len(s.prefix):])
		if checkName(name) == nil { // else it was written past the API
			all = append(all, Entry{Name: name, Version: kv.Version, Href: "/v1/configs/" + name})
		}
	}
	return all, nil
}
