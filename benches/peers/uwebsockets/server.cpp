// uWebSockets as a peer: the settings of its EchoServer example without TLS, compression and
// timeouts, which nobody else here has either.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

#include "App.h"

struct Nothing {};

static uWS::App *all = nullptr;

int main(int count, char **arguments) {
    bool broadcast = false;
    for (int at = 1; at + 1 < count; at++) {
        broadcast |= !strcmp(arguments[at], "--mode") && !strcmp(arguments[at + 1], "broadcast");
    }
    rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);

    uWS::App app;
    all = &app;
    uWS::App::WebSocketBehavior<Nothing> behaviour = {
        .compression = uWS::DISABLED,
        .maxPayloadLength = 16 * 1024 * 1024,
        .idleTimeout = 0,
        .maxBackpressure = 16 * 1024 * 1024,
        .closeOnBackpressureLimit = false,
        .resetIdleTimeoutOnSend = false,
        .sendPingsAutomatically = false,
    };
    if (broadcast) {
        behaviour.open = [](auto *socket) { socket->subscribe("all"); };
        behaviour.message = [](auto *, std::string_view message, uWS::OpCode kind) {
            all->publish("all", message, kind, false);
        };
    } else {
        behaviour.message = [](auto *socket, std::string_view message, uWS::OpCode kind) {
            socket->send(message, kind, false);
        };
    }
    app.ws<Nothing>("/*", std::move(behaviour));
    app.listen("127.0.0.1", 0, [](us_listen_socket_t *listener) {
        if (!listener) {
            std::exit(1);
        }
        std::printf("127.0.0.1:%d\n", us_socket_local_port(0, (us_socket_t *) listener));
        std::fflush(stdout);
    });
    // The server ends when its input does, so that none outlives the program that started it.
    std::thread([] {
        char byte;
        while (read(0, &byte, 1) > 0) {
        }
        _exit(0);
    }).detach();
    app.run();
}
