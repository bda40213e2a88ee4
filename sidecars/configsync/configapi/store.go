package configapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// What a store may answer, to be compared with errors.Is.
var (
	errAbsent   = errors.New("there is no such configuration")
	errNoRecord = errors.New("there is no such version")
	errChanged  = errors.New("the configuration is not the one that was expected")
	errFull     = errors.New("there are as many configurations as there may be")
)

// store keeps configurations in etcd.
type store struct {
	etcd     *clientv3.Client
	timeout  time.Duration
	prefix   string
	history  int
	maxNames int
}

// A document is a configuration as it is now.
type document struct {
	Version
	content  []byte
	revision int64 // of its last change; 0 when there is none
}

func (s *store) key(name string) string { return s.prefix + name }

// historyKey is that of all versions of a name, or of one when number > 0. The
// name is one part of it, so that a/b is not found under a.
func (s *store) historyKey(name, kind string, number int64) string {
	key := strings.TrimSuffix(s.prefix, "/") + "-history/" + url.PathEscape(name) + "/" + kind + "/"
	if number > 0 {
		key += fmt.Sprintf("%010d", number)
	}
	return key
}

// record is a Version as it is kept.
type record struct {
	ContentType string    `json:"content_type"`
	SHA256      string    `json:"sha256"`
	Size        int       `json:"size"`
	Created     time.Time `json:"created"`
	RollbackOf  int64     `json:"rollback_of,omitempty"`
}

func (r record) version(name string, number int64) Version {
	return Version{Version: number, ETag: fmt.Sprintf(`"%d-%.16s"`, number, r.SHA256), SHA256: r.SHA256, Size: r.Size,
		ContentType: r.ContentType, Created: r.Created, RollbackOf: r.RollbackOf}
}

// get returns a configuration, or errAbsent.
func (s *store) get(ctx context.Context, name string) (document, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	resp, err := s.etcd.Txn(ctx).Then(
		clientv3.OpGet(s.key(name)),
		clientv3.OpGet(s.historyKey(name, "meta", 0), clientv3.WithLastKey()...),
	).Commit()
	if err != nil {
		return document{}, fmt.Errorf("read configuration: %w", err)
	}
	current := resp.Responses[0].GetResponseRange().Kvs
	if len(current) == 0 {
		return document{}, errAbsent
	}
	d := document{Version: newVersion(current[0].Version, current[0].Value), content: current[0].Value, revision: current[0].ModRevision}
	d.ContentType = typeByName(name)
	for _, last := range resp.Responses[1].GetResponseRange().Kvs {
		// A write past the API has left the record behind.
		if v, err := parseRecord(name, last); err == nil && v.Version == d.Version.Version && v.SHA256 == d.SHA256 {
			d.Version = v
		}
	}
	return d, nil
}

func parseRecord(name string, kv *mvccpb.KeyValue) (Version, error) {
	var r record
	if err := json.Unmarshal(kv.Value, &r); err != nil {
		return Version{}, fmt.Errorf("record of %s: %w", name, err)
	}
	var number int64
	if _, err := fmt.Sscanf(string(kv.Key[max(0, len(kv.Key)-10):]), "%d", &number); err != nil {
		return Version{}, fmt.Errorf("record of %s: %w", name, err)
	}
	return r.version(name, number), nil
}

// A change is what a writer wants.
type change struct {
	content     []byte
	contentType string
	rollbackOf  int64
	ifMatch     string // field of the request
	ifNoneMatch string
}

// allowed tells whether the conditions of the writer hold (RFC 9110, 13.1).
func (c change) allowed(etag string) bool {
	return (c.ifMatch == "" || matches(c.ifMatch, etag)) && (c.ifNoneMatch == "" || !matches(c.ifNoneMatch, etag))
}

// attempts bounds how often a writer begins anew. Each time another one was
// faster, so that somebody always gets on.
const attempts = 5

// put makes content the newest version of a configuration. What it is already is
// no new version.
func (s *store) put(ctx context.Context, name string, c change) (v Version, created bool, err error) {
	for range attempts {
		now, err := s.get(ctx, name)
		if err != nil && !errors.Is(err, errAbsent) {
			return Version{}, false, err
		}
		if !c.allowed(now.ETag) {
			return Version{}, false, errChanged
		}
		exists := now.revision != 0
		if exists && bytes.Equal(now.content, c.content) && now.ContentType == c.contentType {
			return now.Version, false, nil
		}
		if !exists {
			if err := s.room(ctx); err != nil {
				return Version{}, false, err
			}
		}
		v, done, err := s.write(ctx, name, now, c)
		if err != nil || done {
			return v, !exists, err
		}
	}
	return Version{}, false, errChanged
}

// room returns errFull when there are too many names. Two who come at the same
// time may pass it by one.
func (s *store) room(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	resp, err := s.etcd.Get(ctx, s.prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil {
		return fmt.Errorf("count configurations: %w", err)
	}
	if resp.Count >= int64(s.maxNames) {
		return errFull
	}
	return nil
}

// write is the one transaction that changes a configuration. It is not done when
// somebody else has changed it since it was read.
func (s *store) write(ctx context.Context, name string, now document, c change) (v Version, done bool, err error) {
	v = newVersion(now.Version.Version+1, c.content)
	v.ContentType, v.Created, v.RollbackOf = c.contentType, time.Now().UTC().Truncate(time.Millisecond), c.rollbackOf
	meta, err := json.Marshal(record{v.ContentType, v.SHA256, v.Size, v.Created, v.RollbackOf})
	if err != nil {
		return Version{}, false, err
	}
	ops := []clientv3.Op{
		clientv3.OpPut(s.key(name), string(c.content)),
		clientv3.OpPut(s.historyKey(name, "data", v.Version), string(c.content)),
		clientv3.OpPut(s.historyKey(name, "meta", v.Version), string(meta)),
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	resp, err := s.etcd.Txn(ctx).
		If(clientv3.Compare(clientv3.ModRevision(s.key(name)), "=", now.revision)).
		Then(append(ops, s.forget(name, v.Version)...)...).
		Commit()
	if err != nil {
		return Version{}, false, fmt.Errorf("write configuration: %w", err)
	}
	return v, resp.Succeeded, nil
}

// forget deletes the versions that are too old when number is written, and those
// of an earlier life of the name, which come after it.
func (s *store) forget(name string, number int64) []clientv3.Op {
	var ops []clientv3.Op
	for _, kind := range []string{"data", "meta"} {
		all := s.historyKey(name, kind, 0)
		if oldest := number - int64(s.history); oldest > 0 {
			ops = append(ops, clientv3.OpDelete(all, clientv3.WithRange(s.historyKey(name, kind, oldest+1))))
		}
		ops = append(ops, clientv3.OpDelete(s.historyKey(name, kind, number+1), clientv3.WithRange(clientv3.GetPrefixRangeEnd(all))))
	}
	return ops
}

// remove deletes a configuration with its history.
func (s *store) remove(ctx context.Context, name, ifMatch string) error {
	now, err := s.get(ctx, name)
	if err != nil {
		return err
	}
	if !(change{ifMatch: ifMatch}).allowed(now.ETag) {
		return errChanged
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	resp, err := s.etcd.Txn(ctx).
		If(clientv3.Compare(clientv3.ModRevision(s.key(name)), "=", now.revision)).
		Then(
			clientv3.OpDelete(s.key(name)),
			clientv3.OpDelete(s.historyKey(name, "data", 0), clientv3.WithPrefix()),
			clientv3.OpDelete(s.historyKey(name, "meta", 0), clientv3.WithPrefix()),
		).Commit()
	if err != nil {
		return fmt.Errorf("delete configuration: %w", err)
	}
	if !resp.Succeeded {
		return errChanged
	}
	return nil
}
