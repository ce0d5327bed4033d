import * as device from '@xlstm/device';
import { describe, expect, it } from 'vitest';
import { restoreError, transferError } from './error-transfer.ts';

const classes = Object.values(device).filter(
  (value): value is typeof device.XlstmError =>
    typeof value === 'function' && (value === device.XlstmError || value.prototype instanceof device.XlstmError),
);

describe('errors that cross to another thread', () => {
  it.each([...classes, TypeError, RangeError, SyntaxError, Error].map((each) => [each.name, each] as const))(
    '%s stays what it is',
    (name, ErrorClass) => {
      const error = new ErrorClass('the message', { cause: new device.ShapeError('the cause') });
      const restored = restoreError(structuredClone(transferError(error)));
      expect(restored.constructor).toBe(ErrorClass);
      expect(restored).toMatchObject({ name, message: 'the message', stack: error.stack });
      expect(restored.cause).toBeInstanceOf(device.ShapeError);
    },
  );

  it('knows every class of errors that there is', () => expect(classes.length).toBeGreaterThan(10));

  it('keeps the name of a class that only one side has, and the nearest class', () => {
    class SpecialError extends device.CheckpointError {
      override name = 'SpecialError';
      readonly code = 'special';
    }
    const restored = restoreError(structuredClone(transferError(new SpecialError('x'))));
    expect(restored).toBeInstanceOf(device.CheckpointError);
    expect(restored).toMatchObject({ name: 'SpecialError', code: 'special' });
  });

  it('carries what browsers throw, what is no error, and no endless chain of causes', () => {
    const abort = restoreError(structuredClone(transferError(new DOMException('stop', 'AbortError'))));
    expect(abort).toBeInstanceOf(DOMException);
    expect(abort).toMatchObject({ name: 'AbortError', message: 'stop' });
    expect(restoreError(transferError('just text'))).toMatchObject({ name: 'Error', message: 'just text' });
    const circular = new Error('round');
    circular.cause = circular;
    expect(restoreError(transferError(circular)).message).toBe('round');
  });
});
