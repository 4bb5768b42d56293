package kv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	redisDial  = 2 * time.Second
	redisWait  = time.Second // for an answer, and for a connection of the pool
	redisConns = 16
	redisTries = 1 // again, where a connection broke
)

// RedisConfig names a Redis.
type RedisConfig struct {
	URL    string // redis://[user:password@]host:port[/db], or rediss:// for TLS
	Prefix string // what all keys begin with
}

// Redis is a Store in a Redis, which all processes with its URL and prefix share.
type Redis struct {
	client *redis.Client
	prefix string
}

var _ Store = (*Redis)(nil)

// NewRedis returns a store; it connects when something is asked. The error does not
// repeat the URL, which may hold a password.
func NewRedis(cfg RedisConfig) (*Redis, error) {
	options, err := redis.ParseURL(cfg.URL)
	if err != nil {
		return nil, errors.New("URL of Redis is not redis://host:port/db or rediss://host:port/db")
	}
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout, options.PoolTimeout = redisDial, redisWait, redisWait, redisWait
	options.PoolSize, options.MaxRetries, options.ContextTimeoutEnabled = redisConns, redisTries, true
	return &Redis{client: redis.NewClient(options), prefix: cfg.Prefix}, nil
}

// Get implements Store.
func (r *Redis) Get(ctx context.Context, key string) ([]byte, error) {
	value, err := r.client.Get(ctx, r.prefix+key).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("get %q: %w", key, ErrMissing)
	}
	return value, failed("get", key, err)
}

// Take implements Store. Where a connection broke it is tried again, and may then miss
// what the first try took: nobody has it.
func (r *Redis) Take(ctx context.Context, key string) ([]byte, error) {
	value, err := r.client.GetDel(ctx, r.prefix+key).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("take %q: %w", key, ErrMissing)
	}
	return value, failed("take", key, err)
}

// Set implements Store.
func (r *Redis) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := check(key, value, ttl); err != nil {
		return err
	}
	return failed("set", key, r.client.Set(ctx, r.prefix+key, value, ttl).Err())
}

// Replace implements Store.
func (r *Redis) Replace(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := check(key, value, ttl); err != nil {
		return err
	}
	err := r.client.SetArgs(ctx, r.prefix+key, value, redis.SetArgs{Mode: "XX", TTL: ttl}).Err()
	if errors.Is(err, redis.Nil) {
		return fmt.Errorf("replace %q: %w", key, ErrMissing)
	}
	return failed("replace", key, err)
}

// Delete implements Store.
func (r *Redis) Delete(ctx context.Context, key string) error {
	return failed("delete", key, r.client.Del(ctx, r.prefix+key).Err())
}

// Close implements Store.
func (r *Redis) Close() error {
	if err := r.client.Close(); err != nil {
		return fmt.Errorf("close Redis: %w", err)
	}
	return nil
}

func failed(what, key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %q: %w: %w", what, key, ErrUnavailable, err)
}
