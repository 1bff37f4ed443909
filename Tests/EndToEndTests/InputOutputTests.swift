import Glibc
import Support
import Testing

extension EndToEnd {
    /// Which interface to the kernel the edge takes, and what it does where there is no io_uring.
    @Suite struct InputOutputChoice {
        /// Forbids a system call by its number, with an error, and runs a program under that filter.
        private static let filter = """
            import ctypes, os, struct, sys
            libc = ctypes.CDLL(None, use_errno=True)
            number, error = int(sys.argv[1]), int(sys.argv[2])
            lines = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (6, 0, 0, 0x50000 | error), (6, 0, 0, 0x7fff0000)]
            code = b"".join(struct.pack("HBBI", *line) for line in lines)
            memory = ctypes.create_string_buffer(code)
            class Program(ctypes.Structure):
                _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
            program = Program(4, ctypes.addressof(memory))
            assert libc.prctl(38, 1, 0, 0, 0) == 0
            assert libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0
            os.execv(sys.argv[3], sys.argv[3:])
            """

        /// io_uring_setup, io_uring_enter and io_uring_register have one number on all architectures.
        private func start(
            _ inputOutput: String, forbidding call: Int, error: Int32
        ) throws -> (ChildProcess, port: UInt16) {
            let folder = try TemporaryFolder()
            let port = try FreePort.any()
            let file = try folder.write(
                "switchyard.conf", "listen tls 127.0.0.1:\(port)\nio \(inputOutput)\nworkers 2\n")
            let process = try ChildProcess(
                "/usr/bin/env",
                ["python3", "-c", Self.filter, "\(call)", "\(error)", Edge.binary, "--config", file])
            _ = Pause.until(seconds: 10) { process.errors.contains("ready") || !process.isRunning }
            return (process, port)
        }

        @Test(arguments: [425, 426, 427], [EPERM, ENOSYS])
        func aSystemThatForbidsItGetsEpollAndTheReasonInTheLog(_ call: Int, error: Int32) throws {
            let (process, port) = try start("auto", forbidding: call, error: error)
            #expect(process.errors.contains("io auto: epoll, because "), "\(process.errors)")
            #expect(process.errors.contains(" io=epoll "), "\(process.errors)")
            _ = try StreamSocket(to: .ipv4(port: port))
            process.send(signal: SIGINT)
            #expect(try process.wait() == .status(0))
        }

        @Test(arguments: [425, 426, 427])
        func whoAsksForItAndCannotHaveItGetsAnError(_ call: Int) throws {
            let (process, _) = try start("io_uring", forbidding: call, error: EPERM)
            #expect(try process.wait() == .status(1))
            #expect(process.errors.contains("io io_uring: this system gives the edge no io_uring: "))
        }
    }
}
