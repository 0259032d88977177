package storage

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/marathon/instance"
	"stoa/marathon/timestamp"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
)

// instanceRecord has the layout of the original's stored instances
// (core/instance/Instance.scala), so that both can be read by the same tools. Bytes
// are written in base64, as encoding/json does for byte slices.
type instanceRecord struct {
	InstanceID     instanceID            `json:"instanceId"`
	AgentInfo      *agentRecord          `json:"agentInfo,omitempty"`
	TasksMap       map[string]taskRecord `json:"tasksMap"`
	RunSpecVersion timestamp.Timestamp   `json:"runSpecVersion"`
	State          stateRecord           `json:"state"`
	Role           string                `json:"role"`
}

type instanceID struct {
	IDString string `json:"idString"`
}

type agentRecord struct {
	Host       string   `json:"host"`
	AgentID    string   `json:"agentId,omitempty"`
	Region     string   `json:"region,omitempty"`
	Zone       string   `json:"zone,omitempty"`
	Attributes [][]byte `json:"attributes"`
}

type taskRecord struct {
	TaskID         string              `json:"taskId"`
	RunSpecVersion timestamp.Timestamp `json:"runSpecVersion"`
	Status         statusRecord        `json:"status"`
}

type statusRecord struct {
	StagedAt    timestamp.Timestamp  `json:"stagedAt"`
	StartedAt   *timestamp.Timestamp `json:"startedAt,omitempty"`
	MesosStatus []byte               `json:"mesosStatus,omitempty"`
	Condition   instance.Condition   `json:"condition"`
	NetworkInfo networkRecord        `json:"networkInfo"`
}

type networkRecord struct {
	HostName    string          `json:"hostName"`
	HostPorts   []int           `json:"hostPorts"`
	IPAddresses []addressRecord `json:"ipAddresses"`
}

type addressRecord struct {
	IPAddress string `json:"ipAddress"`
	Protocol  string `json:"protocol"`
}

type stateRecord struct {
	Condition   instance.Condition   `json:"condition"`
	Since       timestamp.Timestamp  `json:"since"`
	ActiveSince *timestamp.Timestamp `json:"activeSince,omitempty"`
	Healthy     *bool                `json:"healthy,omitempty"`
	Goal        instance.Goal        `json:"goal"`
}

func encodeInstance(i *instance.Instance) instanceRecord {
	r := instanceRecord{
		InstanceID:     instanceID{i.ID},
		TasksMap:       map[string]taskRecord{},
		RunSpecVersion: i.Version,
		Role:           i.Role,
		State: stateRecord{
			Condition: i.State.Condition, Since: timestamp.Of(i.State.Since),
			ActiveSince: optionalTime(i.State.ActiveSince), Healthy: i.State.Healthy, Goal: i.State.Goal,
		},
	}
	if a := i.Agent; a != nil {
		r.AgentInfo = &agentRecord{Host: a.Host, AgentID: a.AgentID, Region: a.Region, Zone: a.Zone, Attributes: [][]byte{}}
		for _, attribute := range a.Attributes {
			r.AgentInfo.Attributes = append(r.AgentInfo.Attributes, marshal(attribute))
		}
	}
	for n := range i.Tasks {
		t := &i.Tasks[n]
		record := taskRecord{
			TaskID: t.ID, RunSpecVersion: t.Version,
			Status: statusRecord{
				StagedAt: timestamp.Of(t.StagedAt), StartedAt: optionalTime(t.StartedAt), Condition: t.Condition,
				NetworkInfo: networkRecord{
					HostName: t.Network.HostName, HostPorts: append([]int{}, t.Network.HostPorts...),
					IPAddresses: []addressRecord{},
				},
			},
		}
		if t.Status != nil {
			record.Status.MesosStatus = marshal(t.Status)
		}
		for _, ip := range t.Network.IPAddresses {
			record.Status.NetworkInfo.IPAddresses = append(record.Status.NetworkInfo.IPAddresses, addressRecord{ip.Address, ip.Protocol})
		}
		r.TasksMap[t.ID] = record
	}
	return r
}

// marshal never fails for what was read from the wire.
func marshal(m proto.Message) []byte {
	b, _ := proto.MarshalOptions{AllowPartial: true, Deterministic: true}.Marshal(m)
	return b
}

func optionalTime(t time.Time) *timestamp.Timestamp {
	if t.IsZero() {
		return nil
	}
	ts := timestamp.Of(t)
	return &ts
}

func timeOf(ts *timestamp.Timestamp) time.Time {
	if ts == nil {
		return time.Time{}
	}
	return ts.Time()
}

func (r *instanceRecord) instance() (*instance.Instance, error) {
	appID, _, err := instance.ParseID(r.InstanceID.IDString)
	if err != nil {
		return nil, err
	}
	if r.State.Condition == "" || r.State.Goal == "" {
		return nil, errors.New("the record has no condition or no goal")
	}
	i := &instance.Instance{
		ID: r.InstanceID.IDString, AppID: appID, Version: r.RunSpecVersion, Role: r.Role,
		State: instance.State{
			Condition: r.State.Condition, Since: r.State.Since.Time(), ActiveSince: timeOf(r.State.ActiveSince),
			Healthy: r.State.Healthy, Goal: r.State.Goal,
		},
	}
	if a := r.AgentInfo; a != nil {
		i.Agent = &instance.AgentInfo{Host: a.Host, AgentID: a.AgentID, Region: a.Region, Zone: a.Zone}
		for _, b := range a.Attributes {
			attribute := &mesospb.Attribute{}
			if err := proto.Unmarshal(b, attribute); err != nil {
				return nil, fmt.Errorf("attribute: %w", err)
			}
			i.Agent.Attributes = append(i.Agent.Attributes, attribute)
		}
	}
	for _, record := range r.TasksMap {
		t, err := record.task()
		if err != nil {
			return nil, fmt.Errorf("task %s: %w", record.TaskID, err)
		}
		i.Tasks = append(i.Tasks, t)
	}
	slices.SortFunc(i.Tasks, func(a, b instance.Task) int { return cmp.Compare(a.ID, b.ID) })
	return i, nil
}

func (r taskRecord) task() (instance.Task, error) {
	t := instance.Task{
		ID: r.TaskID, Version: r.RunSpecVersion, Condition: r.Status.Condition,
		StagedAt: r.Status.StagedAt.Time(), StartedAt: timeOf(r.Status.StartedAt),
		Network: instance.NetworkInfo{HostName: r.Status.NetworkInfo.HostName, HostPorts: r.Status.NetworkInfo.HostPorts},
	}
	for _, ip := range r.Status.NetworkInfo.IPAddresses {
		t.Network.IPAddresses = append(t.Network.IPAddresses, instance.IPAddress{Address: ip.IPAddress, Protocol: ip.Protocol})
	}
	if len(r.Status.MesosStatus) > 0 {
		t.Status = &mesospb.TaskStatus{}
		if err := proto.Unmarshal(r.Status.MesosStatus, t.Status); err != nil {
			return t, err
		}
	}
	return t, nil
}

// created is when an instance was made: its id holds a time-based UUID.
func created(i *instance.Instance) time.Time {
	if _, text, err := instance.ParseID(i.ID); err == nil {
		if u, err := uuid.Parse(text); err == nil && u.Version() == 1 {
			return time.Unix(u.Time().UnixTime())
		}
	}
	return i.State.Since
}
