# The runtime interface client of Ruby functions: loads the handler, then serves one invocation after another.

require "json"
require "socket"

# The Lambda Runtime API, over one connection.
class RuntimeApi
  PREFIX = "/2018-06-01/runtime"

  def initialize(address)
    @host, @port = address.split(":")
  end

  def next_invocation
    ask("GET", "/invocation/next")
  end

  def respond(id, body)
    ask("POST", "/invocation/#{id}/response", body)
  end

  def fail(id, error)
    ask("POST", "/invocation/#{id}/error", error.to_json, error[:errorType])
  end

  def fail_init(error)
    ask("POST", "/init/error", error.to_json, error[:errorType])
  end

  private

  def ask(method, path, body = "", error_type = nil)
    @connection ||= TCPSocket.new(@host, @port)
    head = ["#{method} #{PREFIX}#{path} HTTP/1.1", "Host: #{@host}", "Content-Length: #{body.bytesize}"]
    head << "Content-Type: application/json" unless body.empty?
    head << "Lambda-Runtime-Function-Error-Type: #{error_type}" if error_type
    @connection.write("#{head.join("\r\n")}\r\n\r\n", body)
    read_answer
  end

  def read_answer
    status = @connection.gets("\r\n")
    headers = {}
    while (line = @connection.gets("\r\n").chomp) != ""
      name, value = line.split(": ", 2)
      headers[name.downcase] = value
    end
    body = @connection.read(headers.fetch("content-length").to_i).force_encoding("UTF-8")
    raise "The Runtime API answered #{status}#{body}" unless status.split[1].start_with?("2")

    [headers, body]
  end
end

# What a handler is told of its invocation.
class LambdaContext
  attr_reader :aws_request_id, :invoked_function_arn, :deadline_ms, :client_context, :identity

  def initialize(headers)
    @aws_request_id = headers["lambda-runtime-aws-request-id"]
    @invoked_function_arn = headers["lambda-runtime-invoked-function-arn"]
    @deadline_ms = headers["lambda-runtime-deadline-ms"].to_i
    @client_context = parsed(headers["lambda-runtime-client-context"])
    @identity = parsed(headers["lambda-runtime-cognito-identity"])
  end

  {
    function_name: "AWS_LAMBDA_FUNCTION_NAME",
    function_version: "AWS_LAMBDA_FUNCTION_VERSION",
    memory_limit_in_mb: "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    log_group_name: "AWS_LAMBDA_LOG_GROUP_NAME",
    log_stream_name: "AWS_LAMBDA_LOG_STREAM_NAME",
  }.each { |name, variable| define_method(name) { ENV.fetch(variable) } }

  def get_remaining_time_in_millis
    [deadline_ms - (Time.now.to_f * 1000).to_i, 0].max
  end

  private

  def parsed(text)
    text && JSON.parse(text)
  end
end

# Finds `file.method`, or `file.Module::Class.method`.
def load_handler(setting)
  file, *receiver, name = setting.split(".")
  raise ArgumentError, "Invalid handler #{setting}, must be of form FILENAME.METHOD or FILENAME.CLASS.METHOD" unless name

  $LOAD_PATH.unshift(ENV.fetch("LAMBDA_TASK_ROOT"))
  require File.join(ENV.fetch("LAMBDA_TASK_ROOT"), file)
  receiver.empty? ? Object.new.method(name) : Object.const_get(receiver.join("::")).method(name)
end

def described(error, phase)
  {
    errorMessage: error.message,
    errorType: "#{phase}<#{error.class}>",
    stackTrace: (error.backtrace || []).reject { |line| line.start_with?(__FILE__) },
  }
end

def serve(api, handler)
  headers, body = api.next_invocation
  id = headers["lambda-runtime-aws-request-id"]
  ENV["_X_AMZN_TRACE_ID"] = headers["lambda-runtime-trace-id"]
  begin
    answer = handler.call(event: JSON.parse(body), context: LambdaContext.new(headers)).to_json
  rescue Exception => e # whatever a function raises is its answer
    error = described(e, "Function")
    puts "Error raised from handler method\r#{JSON.generate(error)}"
    api.fail(id, error)
  else
    api.respond(id, answer)
  end
end

$stdout.sync = $stderr.sync = true
api = RuntimeApi.new(ENV.fetch("AWS_LAMBDA_RUNTIME_API"))
begin
  handler = load_handler(ENV.fetch("_HANDLER"))
rescue Exception => e # as above
  error = described(e, "Init")
  puts "Init error when loading handler #{ENV.fetch("_HANDLER")}\r#{JSON.generate(error)}"
  api.fail_init(error)
  exit 1
end
loop { serve(api, handler) }
