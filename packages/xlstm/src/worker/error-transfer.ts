import {
  CheckpointError,
  ConfigError,
  DeviceError,
  DeviceLostError,
  DisposedError,
  DtypeError,
  GradientError,
  NumericsError,
  OptionError,
  OutOfMemoryError,
  ShapeError,
  StateError,
  TokenizerError,
  XlstmError,
} from '@xlstm/device';
import { TransferError } from '@xlstm/loaders';

/** An error as structured clone can carry it: errors themselves lose their class and their name on the way. */
export interface TransferredError {
  /** The nearest class that both sides have. */
  className: string;
  name: string;
  message: string;
  stack?: string;
  /** Where an error has one: what kind of failure it is, for programs. */
  code?: string;
  cause?: TransferredError;
}

type ErrorClass = abstract new (...given: never[]) => Error;

/** The most special first, so that the first one that fits is the nearest. */
const CLASSES: Readonly<Record<string, ErrorClass>> = {
  OutOfMemoryError,
  DeviceLostError,
  DeviceError,
  ShapeError,
  DtypeError,
  OptionError,
  ConfigError,
  GradientError,
  NumericsError,
  TransferError: TransferError as unknown as ErrorClass,
  CheckpointError,
  StateError,
  TokenizerError,
  DisposedError,
  XlstmError,
  TypeError,
  RangeError,
  SyntaxError,
};

/** Longest chain of causes that is carried. */
const MOST_CAUSES = 5;

/** Takes an error apart. Whatever else was thrown becomes one. */
export function transferError(error: unknown, depth = 0): TransferredError {
  if (!(error instanceof Error)) return { className: 'Error', name: 'Error', message: String(error) };
  const className =
    error instanceof DOMException
      ? 'DOMException'
      : (Object.keys(CLASSES).find((name) => error instanceof CLASSES[name]!) ?? 'Error');
  return {
    className,
    name: error.name,
    message: error.message,
    ...(error.stack === undefined ? {} : { stack: error.stack }),
    ...('code' in error && typeof error.code === 'string' ? { code: error.code } : {}),
    ...(error.cause === undefined || depth >= MOST_CAUSES ? {} : { cause: transferError(error.cause, depth + 1) }),
  };
}

/** The error again: of the same class, with name, message and cause, and the stack of where it was thrown. */
export function restoreError({ className, name, message, stack, code, cause }: TransferredError): Error {
  if (className === 'DOMException') return new DOMException(message, name);
  const error = new Error(message);
  // Constructors differ in what they ask for; an instance needs the prototype only.
  Object.setPrototypeOf(error, (CLASSES[className] ?? Error).prototype);
  const define = (key: string, value: unknown): void => {
    Object.defineProperty(error, key, { value, configurable: true, writable: true, enumerable: false });
  };
  define('name', name);
  if (stack !== undefined) define('stack', stack);
  if (cause !== undefined) define('cause', restoreError(cause));
  return code === undefined ? error : Object.assign(error, { code });
}
