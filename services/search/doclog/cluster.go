package doclog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/rcrowley/go-metrics"

	"github.com/flotilla-dev/flotilla/internal/retry"
)

// Options say where the log is. Brokers and Topic are needed.
type Options struct {
	Brokers []string // host:port
	Topic   string
	Client  string // the name of this process for the brokers' own logs
	// Timeout bounds one request to a broker; 0 means 3s.
	Timeout time.Duration
	Log     *slog.Logger // nil means silence
}

// A Cluster is a connection to the brokers that keep a log. It is opened when it is used, and again when it was lost.
type Cluster struct {
	topic   string
	timeout time.Duration
	options Options
	client  sarama.Client
	log     *slog.Logger
}

// Check tells what is wrong with a list of brokers.
func Check(brokers []string) error {
	if len(brokers) == 0 {
		return errors.New("want host:port of at least one broker")
	}
	for _, b := range brokers {
		host, port, found := strings.Cut(b, ":")
		if n, err := strconv.ParseUint(port, 10, 16); !found || host == "" || err != nil || n == 0 {
			return fmt.Errorf("%.80q is not valid: want host:port", b)
		}
	}
	return nil
}

// Open returns the cluster. No broker is asked yet: one that is away is no error here.
func Open(o Options) (*Cluster, error) {
	if err := Check(o.Brokers); err != nil {
		return nil, err
	}
	if o.Timeout <= 0 {
		o.Timeout = 3 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	unmeasured()
	client, err := sarama.NewClient(o.Brokers, configuration(o))
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return &Cluster{topic: o.Topic, timeout: o.Timeout, options: o, client: client, log: o.Log}, nil
}

// Another is a connection of its own to the same topic. A broker answers the requests of a connection one after the other, and those of a
// Follower wait for records: where one process reads several partitions, or also writes, each needs its own.
func (c *Cluster) Another() (*Cluster, error) { return Open(c.options) }

// unmeasured has the client library measure nothing: nobody reads it, it is in a registry of the whole process, whatever the configuration
// says (FetchRequest.encode does not ask it), and a goroutine that nothing ends keeps it up to date.
var unmeasured = sync.OnceFunc(func() { metrics.UseNilMetrics = true })

// Close closes all connections.
func (c *Cluster) Close() error { return c.client.Close() }

// configuration is that of the library. It tries nothing again by itself: here it is known what may be repeated.
func configuration(o Options) *sarama.Config {
	conf := sarama.NewConfig()
	conf.Version = sarama.V2_8_0_0
	if o.Client != "" {
		conf.ClientID = o.Client
	}
	conf.Net.DialTimeout = min(o.Timeout, 2*time.Second)
	conf.Net.ReadTimeout, conf.Net.WriteTimeout = o.Timeout+poll, o.Timeout
	conf.Metadata.Full, conf.Metadata.AllowAutoTopicCreation = false, false
	conf.Metadata.Retry.Max, conf.Metadata.Timeout = 0, o.Timeout
	conf.Admin.Timeout, conf.Admin.Retry.Max = o.Timeout, 0
	return conf
}

// backoff is the wait between attempts at a broker.
var backoff = retry.Backoff{Base: 50 * time.Millisecond, Max: time.Second}

// Create makes the topic with so many partitions, or finds it with as many. The number of its replicas, and how many of them have to be
// in sync, are the cluster's own. It returns when it is known; an error that is no *Partitions may pass.
func (c *Cluster) Create(partitions int32) error {
	admin, err := c.admin()
	if err != nil {
		return err
	}
	compact := "compact"
	err = admin.CreateTopic(c.topic, &sarama.TopicDetail{
		NumPartitions: partitions, ReplicationFactor: -1, ConfigEntries: map[string]*string{"cleanup.policy": &compact},
	}, false)
	if err != nil && !errors.Is(err, sarama.ErrTopicAlreadyExists) {
		return fmt.Errorf("create topic %s: %w", c.topic, err)
	}
	return c.Verify(partitions)
}

// admin returns what speaks to the controller, which is known from any metadata.
func (c *Cluster) admin() (sarama.ClusterAdmin, error) {
	if _, err := c.client.Controller(); err != nil {
		_ = c.client.RefreshMetadata(c.topic) // the topic need not be there; what is wrong with the brokers is wrong below, too
	}
	admin, err := sarama.NewClusterAdminFromClient(c.client)
	if err != nil {
		return nil, fmt.Errorf("find the controller: %w", err)
	}
	return admin, nil
}

// Verify tells whether the topic is there with so many partitions.
func (c *Cluster) Verify(partitions int32) error {
	meta, err := c.describe()
	if err != nil {
		return err
	}
	if have := int32(len(meta.Partitions)); have != partitions {
		return &Partitions{Topic: c.topic, Have: have, Want: partitions}
	}
	return nil
}

// Await creates or verifies the topic as soon as the brokers can be reached. Its error is a *Partitions or that of the context.
func (c *Cluster) Await(ctx context.Context, partitions int32, create bool) error {
	try := c.Verify
	if create {
		try = c.Create
	}
	return retry.Do(ctx, retry.Policy{
		Backoff: backoff,
		Before: func(attempt int, err error, _ time.Duration) {
			if attempt == 1 {
				c.log.Warn("the log cannot be reached; it is tried again", "error", err)
			}
		},
	}, func(context.Context) error {
		err := try(partitions)
		var other *Partitions
		if errors.As(err, &other) {
			return retry.Stop(err)
		}
		return err
	})
}

// describe asks a broker for the topic.
func (c *Cluster) describe() (*sarama.TopicMetadata, error) {
	broker := c.client.LeastLoadedBroker()
	if broker == nil {
		_ = c.client.RefreshMetadata(c.topic) // brings back the brokers that were given up
		return nil, sarama.ErrOutOfBrokers
	}
	answer, err := broker.GetMetadata(sarama.NewMetadataRequest(c.client.Config().Version, []string{c.topic}))
	if err != nil {
		_ = broker.Close() // it is opened again when it is used
		return nil, fmt.Errorf("describe topic %s: %w", c.topic, err)
	}
	for _, meta := range answer.Topics {
		if meta.Name == c.topic && meta.Err == sarama.ErrNoError {
			return meta, nil
		}
		if meta.Name == c.topic {
			return nil, fmt.Errorf("describe topic %s: %w", c.topic, meta.Err)
		}
	}
	return nil, fmt.Errorf("describe topic %s: %w", c.topic, sarama.ErrIncompleteResponse)
}

// Identity names the topic among all that ever had its name, where the brokers are new enough to know; else it is "".
func (c *Cluster) Identity() (string, error) {
	meta, err := c.describe()
	if err != nil || meta.Uuid == (sarama.Uuid{}) {
		return "", err
	}
	return meta.Uuid.String(), nil
}

// DeleteRetention is how long a deletion surely stays in the log.
func (c *Cluster) DeleteRetention() (time.Duration, error) {
	const name = "delete.retention.ms"
	admin, err := c.admin()
	if err != nil {
		return 0, err
	}
	results, err := admin.DescribeConfigs([]*sarama.ConfigResource{{Type: sarama.TopicResource, Name: c.topic, ConfigNames: []string{name}}}, sarama.DescribeConfigsOptions{})
	if err != nil {
		return 0, fmt.Errorf("describe the configuration of topic %s: %w", c.topic, err)
	}
	for _, result := range results {
		if code := sarama.KError(result.ErrorCode); code != sarama.ErrNoError {
			return 0, fmt.Errorf("describe the configuration of topic %s: %w", c.topic, code)
		}
		for _, e := range result.Configs {
			if e.Name == name {
				return retention(e.Value)
			}
		}
	}
	return 0, fmt.Errorf("topic %s tells no %s", c.topic, name)
}

// retention reads milliseconds. More than ten years are as good as ten.
func retention(text string) (time.Duration, error) {
	const most = 10 * 365 * 24 * time.Hour
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil || ms < 0 {
		return 0, fmt.Errorf("%.20q is no time for which deletions stay", text)
	}
	return time.Duration(min(ms, most.Milliseconds())) * time.Millisecond, nil
}
