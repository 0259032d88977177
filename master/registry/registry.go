// Package registry keeps what the master must remember across a failover: the
// agents it admitted, those that are unreachable or gone, what operators decided about
// them, and the maintenance schedule.
//
// Comes in: changes of the core. Goes out: what the store holds, at a start, and
// for each write whether it is durable. There is one small record per agent, so
// that admitting one writes one, however large the cluster is.
//
// Keys, below `registry/`: `agents/<id>`, `unreachable/<id>` and `gone/<id>` hold
// one Registry.Slave, Registry.UnreachableSlave or Registry.GoneSlave of the
// original's registry.proto each; `weights/<role>` a WeightInfo, `quotas/<role>` a
// QuotaConfig, and where a role is very long its hash stands for it. `maintenance` is a
// Registry that holds machines and schedules only. `capabilities/<name>`, without a
// value, says that a master without that capability must not read the rest.
package registry

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/quotapb"
	"stoa/internal/store"
	"stoa/master/core"

	"google.golang.org/protobuf/proto"
)

const (
	prefix       = "registry/"
	agents       = prefix + "agents/"
	unreachable  = prefix + "unreachable/"
	gone         = prefix + "gone/"
	weights      = prefix + "weights/"
	quotas       = prefix + "quotas/"
	maintenance  = prefix + "maintenance"
	capabilities = prefix + "capabilities/"
)

// maxBatch bounds how many writes go to the store together.
const maxBatch = 512

// Registry reads and writes the records. Its methods may be called from any
// goroutine.
type Registry struct {
	store store.Store
	wake  chan struct{}

	mu     sync.Mutex
	writes []core.Write
}

// New returns a Registry over a store. Run must run for writes to happen.
func New(s store.Store) *Registry {
	return &Registry{store: s, wake: make(chan struct{}, 1)}
}

// Load returns what the store holds. A record that cannot be read is an error:
// going on without it could give its agent's tasks up.
func (r *Registry) Load(ctx context.Context) (core.Recovery, error) {
	var out core.Recovery
	records, err := r.store.List(ctx, prefix)
	if err != nil {
		return out, fmt.Errorf("cannot read the registry: %w", err)
	}
	for _, one := range records {
		switch {
		case strings.HasPrefix(one.Key, agents):
			err = load(one, new(internalpb.Registry_Slave), &out.Agents)
		case strings.HasPrefix(one.Key, unreachable):
			err = load(one, new(internalpb.Registry_UnreachableSlave), &out.Unreachable)
		case strings.HasPrefix(one.Key, gone):
			err = load(one, new(internalpb.Registry_GoneSlave), &out.Gone)
		case strings.HasPrefix(one.Key, weights):
			err = load(one, new(mesospb.WeightInfo), &out.Weights)
		case strings.HasPrefix(one.Key, quotas):
			err = load(one, new(quotapb.QuotaConfig), &out.Quotas)
		case one.Key == maintenance:
			var list []*internalpb.Registry
			if err = load(one, new(internalpb.Registry), &list); err == nil {
				out.Maintenance = list[0]
			}
		case strings.HasPrefix(one.Key, capabilities):
			out.Capabilities = append(out.Capabilities, strings.TrimPrefix(one.Key, capabilities))
		}
		if err != nil {
			return core.Recovery{}, err
		}
	}
	return out, nil
}

func load[M proto.Message](record store.Record, m M, list *[]M) error {
	if err := proto.Unmarshal(record.Value, m); err != nil {
		return fmt.Errorf("the registry's record %q is damaged, restore the work directory from a copy: %w", record.Key, err)
	}
	*list = append(*list, m)
	return nil
}

// Write queues a write and returns at once; its outcome goes to done, from Run. The
// queue has no bound of its own: the core has one write at a time for an agent.
func (r *Registry) Write(w core.Write) {
	r.mu.Lock()
	r.writes = append(r.writes, w)
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// take returns the writes to carry out next.
func (r *Registry) take() []core.Write {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(len(r.writes), maxBatch)
	batch := r.writes[:n:n]
	r.writes = r.writes[n:]
	return batch
}

// Run carries out writes, those that wait together as one batch, in order, until
// ctx ends. done is called for each.
func (r *Registry) Run(ctx context.Context, done func(core.Written)) {
	for {
		batch := r.take()
		if len(batch) == 0 {
			select {
			case <-r.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		err := r.apply(ctx, batch)
		if ctx.Err() != nil {
			return
		}
		for _, w := range batch {
			done(core.Written{Write: w.Write, Err: err})
		}
	}
}

func (r *Registry) apply(ctx context.Context, batch []core.Write) error {
	// Later changes of one key replace earlier ones: a batch names a key once.
	ops := make([]store.Op, 0, len(batch))
	at := make(map[string]int, len(batch))
	for _, w := range batch {
		for _, change := range w.Changes {
			op, err := operation(change)
			if err != nil {
				return err
			}
			if i, ok := at[op.Key]; ok {
				ops[i] = op
				continue
			}
			at[op.Key] = len(ops)
			ops = append(ops, op)
		}
	}
	if _, err := r.store.Apply(ctx, ops...); err != nil {
		return fmt.Errorf("cannot write the registry, check the disk of the work directory: %w", err)
	}
	return nil
}

// longestRole is the longest role that is part of a key as it is.
const longestRole = store.MaxKey / 2

// roleKey is the key of a role's record. No role begins with a slash.
func roleKey(prefix, role string) string {
	if len(role) <= longestRole {
		return prefix + role
	}
	return fmt.Sprintf("%s/%x", prefix, sha256.Sum256([]byte(role)))
}

func operation(change core.Change) (store.Op, error) {
	put := func(key string, m proto.Message) (store.Op, error) {
		value, err := proto.Marshal(m)
		if err != nil {
			return store.Op{}, fmt.Errorf("cannot write the registry's record %q: %w", key, err)
		}
		return store.Put(key, value), nil
	}
	switch c := change.(type) {
	case core.PutAgent:
		return put(agents+c.Agent.GetInfo().GetId().GetValue(), c.Agent)
	case core.DropAgent:
		return store.Remove(agents + c.ID), nil
	case core.PutUnreachable:
		return put(unreachable+c.Agent.GetId().GetValue(), c.Agent)
	case core.DropUnreachable:
		return store.Remove(unreachable + c.ID), nil
	case core.PutGone:
		return put(gone+c.Agent.GetId().GetValue(), c.Agent)
	case core.DropGone:
		return store.Remove(gone + c.ID), nil
	case core.PutWeight:
		return put(roleKey(weights, c.Weight.GetRole()), c.Weight)
	case core.PutQuota:
		return put(roleKey(quotas, c.Quota.GetRole()), c.Quota)
	case core.DropQuota:
		return store.Remove(roleKey(quotas, c.Role)), nil
	case core.PutMaintenance:
		return put(maintenance, c.Maintenance)
	case core.PutCapability:
		return store.Put(capabilities+c.Name, nil), nil
	case core.DropCapability:
		return store.Remove(capabilities + c.Name), nil
	}
	return store.Op{}, fmt.Errorf("registry: a change of type %T is not known", change)
}
