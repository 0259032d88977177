package app

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ports counts the ports that a port index can name.
func (d *Definition) ports() int {
	if d.Container != nil && d.Container.PortMappings != nil {
		return len(d.Container.PortMappings)
	}
	return len(d.PortDefinitions)
}

func (d *Definition) validateHealthChecks(r *Rules) {
	ports := d.ports()
	docker := d.Container != nil && d.Container.Type == ContainerDocker
	mesos, commands := 0, 0
	for i := range d.HealthChecks {
		check := &d.HealthChecks[i]
		if check.Command == nil && check.Protocol.ByMarathon() {
			valid := check.Port != nil || ports == 1
			if check.PortIndex != nil {
				valid = *check.PortIndex < ports
			}
			r.Must(valid, at("/healthChecks", i),
				"Health check port indices must address an element of the ports array or container port mappings.")
		}
		if check.Command != nil {
			commands++
		}
		if check.Command != nil || !check.Protocol.ByMarathon() {
			mesos++
		}
	}
	for i := range d.HealthChecks {
		check := &d.HealthChecks[i]
		byMesos := check.Protocol == HealthMesosHTTP || check.Protocol == HealthMesosHTTPS || check.Protocol == HealthMesosTCP
		r.Must(check.IPProtocol == IPv4 || byMesos && docker, at("/healthChecks", i),
			"IPv6 can only be used for container type DOCKER and Mesos http/https/tcp health checks")
	}
	r.Must(mesos-commands <= 1, "/", "AppDefinition can contain at most one Mesos health check")
}

func (d *Definition) validateReadiness(r *Rules) {
	r.Must(len(d.ReadinessChecks) <= 1, "/readinessChecks/size", gotInt(len(d.ReadinessChecks), "1 or less"))
	for i := range d.ReadinessChecks {
		check, path := &d.ReadinessChecks[i], at("/readinessChecks", i)
		r.Must(d.hasPortName(check.PortName), path+"/portName", "No port definition reference for portName "+check.PortName)
		r.Must(check.TimeoutSeconds < check.IntervalSeconds, path+"/timeoutSeconds",
			gotInt(check.TimeoutSeconds, "less than "+strconv.Itoa(check.IntervalSeconds)))
	}
}

func (d *Definition) hasPortName(name string) bool {
	if d.Container != nil && d.Container.PortMappings != nil {
		return slices.ContainsFunc(d.Container.PortMappings, func(m PortMapping) bool { return m.Name == name })
	}
	return slices.ContainsFunc(d.PortDefinitions, func(p PortDefinition) bool { return p.Name == name })
}

// isValue is what the IS operator compares with.
var isValue = regexp.MustCompile(`^[a-zA-Z0-9_/.-]*$`)

// brokenConstraint judges a placement constraint; "" when it is well (SchedulingValidation).
func brokenConstraint(constraint []string) string {
	if len(constraint) < 2 || len(constraint) > 3 {
		return "Each constraint must have either 2 or 3 fields"
	}
	if constraint[0] == "" {
		return "illegal constraint specification"
	}
	value, hasValue := "", len(constraint) == 3
	if hasValue {
		value = constraint[2]
	}
	_, notInt := strconv.ParseInt(value, 10, 32)
	switch Operator(strings.ToUpper(constraint[1])) {
	case Unique:
		if hasValue {
			return "UNIQUE does not accept a value"
		}
	case Cluster:
	case GroupBy:
		if hasValue && notInt != nil {
			return "GROUP BY must define an integer value or else no value at all"
		}
	case MaxPer:
		if notInt != nil {
			return "MAX_PER requires an integer value"
		}
	case Like, Unlike:
		if !hasValue {
			return "LIKE and UNLIKE require a non-empty, regular expression value"
		}
		if _, err := regexp.Compile(value); err != nil {
			return "is not a valid regular expression"
		}
	case Is:
		if !isValue.MatchString(value) {
			return "IS only supports Mesos text and float values (see http://mesos.apache.org/documentation/latest/attributes-resources/)"
		}
	default:
		return "operator must be one of the following UNIQUE, CLUSTER, GROUP_BY, LIKE, MAX_PER, UNLIKE or IS"
	}
	return ""
}
