package etcdstore

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/flotilla-dev/flotilla/services/ownership/lease"
)

// value is what is under the key.
type value struct {
	Holder string    `json:"holder,omitempty"` // "" after it was given back
	Since  time.Time `json:"since"`
	TTL    int64     `json:"ttl_ms,omitempty"`
	Token  uint64    `json:"token,omitempty"`  // of who gave it back
	Before string    `json:"before,omitempty"` // why the one before does not hold it any more
}

// maxValue bounds what is read.
const maxValue = 4096

// parse reads the record under a key.
func parse(name string, kv *mvccpb.KeyValue) (lease.Record, error) {
	r := lease.Record{Name: name, Version: version{kv.ModRevision, clientv3.LeaseID(kv.Lease)}.String()}
	var v value
	if len(kv.Value) > maxValue || json.Unmarshal(kv.Value, &v) != nil || v.TTL < 0 || v.TTL > 1<<32 {
		return lease.Record{}, fmt.Errorf("%w: %s", lease.ErrUnreadable, kv.Key)
	}
	if (v.Holder == "") != (kv.Lease == 0) {
		return lease.Record{}, fmt.Errorf("%w: %s: a holder without a lease, or a lease without a holder", lease.ErrUnreadable, kv.Key)
	}
	r.Holder, r.Since, r.TTL, r.Before = v.Holder, v.Since, time.Duration(v.TTL)*time.Millisecond, v.Before
	if v.Holder == "" {
		r.Ended, r.TTL = lease.Resigned, 0
		return r, nil
	}
	r.Token = lease.Token(kv.ModRevision)
	return r, nil
}

// A version is the mod revision of the key and the lease that it is bound to.
type version struct {
	revision int64 // 0: there is no key
	lease    clientv3.LeaseID
}

func (v version) String() string {
	return strconv.FormatInt(v.revision, 10) + "-" + strconv.FormatInt(int64(v.lease), 16)
}

func parseVersion(text string) (version, error) {
	revision, id, found := strings.Cut(text, "-")
	r, err := strconv.ParseInt(revision, 10, 64)
	l, errL := strconv.ParseInt(id, 16, 64)
	if !found || err != nil || errL != nil || r < 0 || l < 0 {
		return version{}, fmt.Errorf("%.40q is no version of a record in etcd", text)
	}
	return version{r, clientv3.LeaseID(l)}, nil
}
