package etcdclient

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/flotilla-dev/flotilla/internal/retry"
)

// A member that is cut off from the others is still there for its clients: it takes their
// requests and lets them wait for a leader that does not come. Told that a leader is
// required, it refuses at once, before it has done anything, and so each request can go to
// the next member. Those to a cluster that elects a leader come through a bit later.

// noLeaderPause is that between two tries. The next one goes to the next member that is
// connected.
const noLeaderPause = 50 * time.Millisecond

// requireLeader sends a request again while members have no leader, for at most limit.
func requireLeader(limit time.Duration) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		ctx = clientv3.WithRequireLeader(ctx)
		for begin := time.Now(); ; {
			err := invoke(ctx, method, req, reply, cc, opts...)
			if !noLeader(err) || time.Since(begin) > limit || retry.Sleep(ctx, noLeaderPause) != nil {
				return err
			}
		}
	}
}

// requireLeaderOfStream is for watches, which would be silent for as long as the member is
// cut off, and for leases that are kept alive. Both end with an error, and whoever needs
// them begins again.
func requireLeaderOfStream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return open(clientv3.WithRequireLeader(ctx), desc, cc, method, opts...)
}

// noLeader tells whether a member has refused for want of a leader.
func noLeader(err error) bool {
	if errors.Is(err, rpctypes.ErrNoLeader) {
		return true
	}
	s, ok := status.FromError(err)
	want := status.Convert(rpctypes.ErrGRPCNoLeader)
	return err != nil && ok && s.Code() == want.Code() && s.Message() == want.Message()
}
