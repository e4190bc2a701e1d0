"""A WebSocket server that says what it hears, and closes as it is told. `python -m peers.echo`."""

import asyncio

from websockets.asyncio.server import serve


async def talk(connection):
    async for message in connection:
        if message == "close":
            await connection.close(4321, "as you wish é")
        elif message == "drop":
            connection.transport.abort()
        elif message == "ping":
            await connection.send(f"pong after {await (await connection.ping()):.0f}")
        elif message == "where":
            request = connection.request
            await connection.send(f"{request.path} {request.headers.get('X-Forwarded-For')} {connection.subprotocol}")
        else:
            await connection.send(message)


async def main():
    async with serve(talk, "127.0.0.1", 0, max_size=None, subprotocols=["peers"]) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main())
