package app

func (r Reader) healthCheck() HealthCheckDefinition {
	natural := func(r Reader) int { return r.intFrom(0) }
	check := HealthCheckDefinition{
		Command:            optional(r, "command", Reader.commandCheck),
		GracePeriodSeconds: orElse(r, "gracePeriodSeconds", natural, 300),
	}
	if ignore, ok := r.Optional("ignoreHttp1xx"); ok {
		// Read for its type only: the original loses the value.
		ignore.Bool()
	}
	check.IntervalSeconds = orElse(r, "intervalSeconds", natural, 60)
	check.MaxConsecutiveFailures = orElse(r, "maxConsecutiveFailures", natural, 3)
	check.Path = optional(r, "path", Reader.String)
	check.Port = optional(r, "port", Reader.port)
	check.PortIndex = optional(r, "portIndex", Reader.port)
	check.Protocol = orElse(r, "protocol", func(r Reader) HealthProtocol {
		return Literal(r, HealthHTTP, HealthHTTPS, HealthTCP, HealthCommand, HealthMesosTCP, HealthMesosHTTP, HealthMesosHTTPS)
	}, HealthHTTP)
	check.IPProtocol = orElse(r, "ipProtocol", func(r Reader) IPProtocol { return Literal(r, IPv4, IPv6) }, IPv4)
	check.TimeoutSeconds = orElse(r, "timeoutSeconds", Reader.Int, 20)
	check.DelaySeconds = orElse(r, "delaySeconds", natural, 15)
	return check
}

func (r Reader) commandCheck() string {
	if !r.isObject() {
		return ""
	}
	if value, ok := r.Mandatory("value"); ok {
		return value.String()
	}
	return ""
}

// healthKey is equal for equal health checks.
type healthKey struct {
	rest          HealthCheckDefinition
	command, path option[string]
	port, index   option[int]
}

// option is the comparable form of an optional value.
type option[T comparable] struct {
	value T
	given bool
}

func optionOf[T comparable](value *T) (o option[T]) {
	if value != nil {
		o = option[T]{*value, true}
	}
	return o
}

func (h HealthCheckDefinition) key() healthKey {
	k := healthKey{h, optionOf(h.Command), optionOf(h.Path), optionOf(h.Port), optionOf(h.PortIndex)}
	k.rest.Command, k.rest.Path, k.rest.Port, k.rest.PortIndex = nil, nil, nil, nil
	return k
}

func (r Reader) check() CheckDefinition {
	natural := func(r Reader) int { return r.intFrom(0) }
	return CheckDefinition{
		HTTP:            optional(r, "http", Reader.httpCheck),
		TCP:             optional(r, "tcp", Reader.tcpCheck),
		Exec:            optional(r, "exec", Reader.execCheck),
		IntervalSeconds: orElse(r, "intervalSeconds", natural, 60),
		TimeoutSeconds:  orElse(r, "timeoutSeconds", natural, 20),
		DelaySeconds:    orElse(r, "delaySeconds", natural, 15),
	}
}

func (r Reader) httpCheck() HTTPCheck {
	return HTTPCheck{
		PortIndex: optional(r, "portIndex", Reader.port),
		Port:      optional(r, "port", Reader.port),
		Path:      optional(r, "path", func(r Reader) string { return r.text(1, longestURI, nil) }),
		Scheme:    orElse(r, "scheme", func(r Reader) string { return Literal(r, "HTTP", "HTTPS") }, "HTTP"),
	}
}

func (r Reader) tcpCheck() TCPCheck {
	return TCPCheck{PortIndex: optional(r, "portIndex", Reader.port), Port: optional(r, "port", Reader.port)}
}

func (r Reader) execCheck() ExecCheck {
	if !r.isObject() {
		return ExecCheck{}
	}
	command, ok := r.Mandatory("command")
	if !ok {
		return ExecCheck{}
	}
	shell := func(r Reader) ExecCheck {
		var text string
		if line, ok := r.Required("shell"); ok {
			text = line.text(1, unlimitedLength, nil)
		}
		return ExecCheck{Shell: &text}
	}
	if check, ok := attempt(command, shell); ok {
		return check
	}
	var check ExecCheck
	if argv, ok := command.Required("argv"); ok {
		check.Argv = argv.Strings()
		if len(check.Argv) == 0 {
			argv.Fail(tooShort)
		}
	}
	return check
}

func (r Reader) readinessCheck() ReadinessCheckDefinition {
	check := ReadinessCheckDefinition{
		Name:            orElse(r, "name", func(r Reader) string { return r.text(1, unlimitedLength, nil) }, "readinessCheck"),
		Protocol:        orElse(r, "protocol", func(r Reader) string { return Literal(r, "HTTP", "HTTPS") }, "HTTP"),
		Path:            orElse(r, "path", func(r Reader) string { return r.text(1, longestURI, nil) }, "/"),
		PortName:        orElse(r, "portName", Reader.legacyName, "http-api"),
		IntervalSeconds: orElse(r, "intervalSeconds", func(r Reader) int { return r.intFrom(0) }, 30),
		TimeoutSeconds:  orElse(r, "timeoutSeconds", func(r Reader) int { return r.intFrom(1) }, 10),
	}
	if codes, ok := r.Optional("httpStatusCodesForReady"); ok {
		check.HTTPStatusCodesForReady = []int{}
		for _, code := range codes.Elements() {
			check.HTTPStatusCodesForReady = append(check.HTTPStatusCodesForReady, code.Int())
		}
		check.HTTPStatusCodesForReady = distinct(check.HTTPStatusCodesForReady, itself)
		if len(check.HTTPStatusCodesForReady) == 0 {
			codes.Fail(tooShort)
		}
	}
	check.PreserveLastResponse = orElse(r, "preserveLastResponse", Reader.Bool, false)
	return check
}
